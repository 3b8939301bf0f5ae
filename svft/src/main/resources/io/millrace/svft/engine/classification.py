# The head and the loss of the task classification: softmax cross-entropy over labels. Each segment
# has the head of its adapter, and a loss of its own.
#
#   heads   per segment, the weight [labels, H] and the bias [labels]
#   targets per segment [B, labels]: each example's share of the loss at its label, zero elsewhere
#   cuts    the first sequence of each segment, and the number of all sequences

# Returns [logits, losses, gradients of the heads' weights, of their biases, the pooled vectors], each
# flat, segment after segment; and per segment the gradient of the logits [B, labels].
def step(pooled: Tensor, heads: List[Tensor], targets: List[Tensor], cuts: List[int]) -> Tuple[List[Tensor], List[Tensor]]:
  scores = annotate(List[Tensor], [])
  losses = annotate(List[Tensor], [])
  dweights = annotate(List[Tensor], [])
  dbiases = annotate(List[Tensor], [])
  dlogits = annotate(List[Tensor], [])
  for s in range(torch.len(targets)):
    target = targets[s]
    own = torch.slice(pooled, 0, cuts[s], cuts[s + 1])
    logits = __torch__.primitives.addmm(heads[torch.mul(s, 2) + 1], own, torch.t(heads[torch.mul(s, 2)]))
    logp = torch.log_softmax(logits, -1)
    loss = torch.neg(torch.sum(torch.mul(logp, target)))
    dlogit = torch.sub(torch.mul(__torch__.primitives.probabilities(logits, logp), torch.sum(target, [1], True)), target)
    _0 = torch.append(scores, torch.reshape(logits, [-1]))
    _1 = torch.append(losses, torch.reshape(loss, [-1]))
    _2 = torch.append(dweights, torch.reshape(__torch__.primitives.mm(torch.t(dlogit), own), [-1]))
    _3 = torch.append(dbiases, torch.sum(dlogit, [0]))
    _4 = torch.append(dlogits, dlogit)
  return ([torch.cat(scores), torch.cat(losses), torch.cat(dweights), torch.cat(dbiases), torch.reshape(pooled, [-1])], dlogits)

# Returns the gradient of the pooled vectors [B, H].
def backward(dlogits: List[Tensor], heads: List[Tensor]) -> Tensor:
  dpooled = annotate(List[Tensor], [])
  for s in range(torch.len(dlogits)):
    _0 = torch.append(dpooled, __torch__.primitives.mm(dlogits[s], heads[torch.mul(s, 2)]))
  return torch.cat(dpooled)
