# The head and the loss of the task classification: softmax cross-entropy over labels.
#
#   head   weight [labels, H], bias [labels]
#   target [B, labels]: each example's share of the loss at its label, zero elsewhere

# Returns [logits [B, labels], loss [], gradients of the head's weight and bias], and the gradient
# of the logits [B, labels].
def step(pooled: Tensor, head: List[Tensor], target: Tensor) -> Tuple[List[Tensor], Tensor]:
  logits = __torch__.primitives.addmm(head[1], pooled, torch.t(head[0]))
  logp = torch.log_softmax(logits, -1)
  loss = torch.neg(torch.sum(torch.mul(logp, target)))
  dlogits = torch.sub(torch.mul(__torch__.primitives.probabilities(logits, logp), torch.sum(target, [1], True)), target)
  return ([logits, loss, __torch__.primitives.mm(torch.t(dlogits), pooled), torch.sum(dlogits, [0])], dlogits)

# Returns the gradient of the pooled vectors [B, H].
def backward(dlogits: Tensor, head: List[Tensor]) -> Tensor:
  return __torch__.primitives.mm(dlogits, head[0])
