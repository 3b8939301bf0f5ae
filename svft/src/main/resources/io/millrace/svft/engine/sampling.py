# The sequences of a slice that go through the backward pass, where that is not all of them: those
# whose labels the model did not expect, and a sample of the others. The error of a sequence is the
# probability that the model gives to other labels than its own. It bounds the gradient of everything
# below, up to a factor that all sequences share (Katharopoulos and Fleuret, 2018, arXiv 1803.00942,
# section 3.2). With an error below the limit, a sequence is in the sample with probability
# q = error / limit, and counts 1 / q times, so that the gradient is right on average. Each segment is
# sampled by itself, and has one random number for all of its sequences: they lie one after the other
# on a line, each as long as its q, and one is in the sample if a point of draw, draw + 1, draw + 2, ...
# lies on it (systematic sampling). So as many are in the sample as are expected to be, up to one.
#
#   limit   see above; of sequences whose weights differ, the errors count times their weights
#   draws   per segment, a number drawn uniformly from [0, 1)
#
# encoder.py describes batch and spans, pooling.py describes how. The layout is "segments".

# Returns for each sequence how often it counts [B], 0 for one that is not in the sample.
def counts(dlogits: List[Tensor], targets: List[Tensor], limit: float, draws: Tensor) -> Tensor:
  all = annotate(List[Tensor], [])
  for s in range(torch.len(dlogits)):
    # Twice the errors times the weights, in units of the mean weight.
    size = torch.div(torch.sum(torch.abs(dlogits[s]), [1]), torch.mean(torch.sum(targets[s], [1])))
    q = torch.clamp(torch.div(size, torch.mul(limit, 2)), 9.9999999999999995e-07, 1.)
    ends = torch.ceil(torch.sub(torch.cumsum(q, 0), torch.select(draws, 0, s)))
    _0 = torch.append(all, torch.div(torch.sub(ends, torch.constant_pad_nd(ends, [1, -1])), q))
  return torch.cat(all)

# Scales the gradients of each segment's logits by the counts of its sequences. cuts holds the first
# sequence of each segment, and the number of all sequences.
def scaled(dlogits: List[Tensor], counts: Tensor, cuts: List[int]) -> List[Tensor]:
  all = annotate(List[Tensor], [])
  for s in range(torch.len(dlogits)):
    _0 = torch.append(all, torch.mul(dlogits[s], torch.unsqueeze(torch.slice(counts, 0, cuts[s], cuts[s + 1]), 1)))
  return all

# Returns the indices at which flags [n] is set.
def where(flags: Tensor) -> Tensor:
  return torch.reshape(torch.nonzero(flags), [-1])

# Returns the slice that consists of the sequences with a count: batch, how, spans and kept, as far as
# the backward pass reads them. It has at least the given number of rows, and a multiple of another.
def narrowed(counts: Tensor, batch: List[Tensor], how: List[Tensor], spans: List[List[int]], heads: int, kept: List[List[Tensor]], least: int, multiple: int) -> Tuple[List[Tensor], List[Tensor], List[List[int]], List[List[Tensor]]]:
  chosen = torch.ne(counts, 0)
  tokens = torch.floordiv(torch.size(batch[3], 0), heads)
  taken = torch.index_select(chosen, 0, torch.slice(how[3], 0, 0, tokens))
  index = __torch__.sampling.where(taken)
  R = torch.size(index, 0)
  T = torch.mul(torch.floordiv(torch.add(torch.sub(ops.prim.max(least, R), 1), multiple), multiple), multiple)
  # The rows that belong to no sequence repeat the first row. Their gradient is zero.
  rows = torch.constant_pad_nd(index, [0, T - R])
  cuts = [0]
  for s in range(torch.len(spans[2])):
    own = torch.sum(torch.slice(taken, 0, spans[1][s], spans[1][s + 1]))
    _0 = torch.append(cuts, cuts[s] + int(own))
  # Attention's layout closes up: its places move by those of the sequences before that are not chosen.
  ordered = torch.index_copy(torch.zeros_like(how[2]), 0, how[2], torch.to(chosen, 4))
  classes = annotate(List[Tensor], [])
  left = annotate(List[Tensor], [])
  at = 0
  for c in range(torch.floordiv(torch.len(spans[0]), 2)):
    n = spans[0][torch.mul(c, 2)]
    flags = torch.slice(ordered, 0, at, at + n)
    _1 = torch.append(classes, __torch__.sampling.where(flags))
    _2 = torch.append(left, torch.mul(torch.rsub(flags, 1), torch.mul(spans[0][torch.mul(c, 2) + 1], heads)))
    at = at + n
  gone = torch.cat(left)
  moved = torch.index_select(torch.sub(torch.cumsum(gone, 0), gone), 0, how[2])
  places = torch.index_select(torch.view(batch[3], [-1, heads]), 0, index)
  places = torch.sub(places, torch.unsqueeze(torch.index_select(moved, 0, torch.index_select(how[3], 0, index)), 1))
  less = annotate(List[List[Tensor]], [])
  for i in range(torch.len(kept)):
    if torch.__and__(torch.eq(torch.remainder(i, 10), 4), torch.gt(torch.len(kept[i]), 0)):
      _3 = torch.append(less, __torch__.sampling.attention(kept[i], classes, heads))
    else:
      _4 = torch.append(less, __torch__.sampling.linear(kept[i], rows))
  weights = torch.constant_pad_nd(torch.index_select(how[4], 0, index), [0, T - R])
  return ([batch[0], batch[1], batch[2], torch.reshape(places, [-1]), batch[4], torch.index_select(batch[5], 0, rows)], [how[0], how[1], how[2], torch.index_select(how[3], 0, rows), weights], [spans[0], cuts, spans[2], spans[3], spans[4]], less)

# Returns those rows of tensors [T, ...], or of blocks [k, T, ...].
def linear(saved: List[Tensor], rows: Tensor) -> List[Tensor]:
  less = annotate(List[Tensor], [])
  for i in range(torch.len(saved)):
    dim = 0
    if torch.eq(torch.dim(saved[i]), 3):
      dim = 1
    _0 = torch.append(less, torch.index_select(saved[i], dim, rows))
  return less

# Returns those sequences of what attention saved, four tensors [n*h, L, ...] per class.
def attention(saved: List[Tensor], classes: List[Tensor], heads: int) -> List[Tensor]:
  less = annotate(List[Tensor], [])
  for i in range(torch.len(saved)):
    x = saved[i]
    index = classes[torch.floordiv(i, 4)]
    sequences = torch.view(x, [torch.floordiv(torch.size(x, 0), heads), heads, torch.size(x, 1), torch.size(x, 2)])
    _0 = torch.append(less, torch.reshape(torch.index_select(sequences, 0, index), [torch.mul(torch.size(index, 0), heads), torch.size(x, 1), torch.size(x, 2)]))
  return less
