# Scaled dot-product attention (Vaswani et al., 2017, arXiv 1706.03762, equation 1) of each sequence
# over itself. Tokens are packed, one row each. Attention computes in a padded layout: the sequences
# that have the same number of places L form a class, and the classes follow one another. P is the
# number of all places.
#
#   pad     [P*h]   for each place the packed row that fills it
#   pack    [t*h]   for each packed row of a token its place
#   mask    [P*h]   0 at tokens, far below any score at padding
#   classes         per class, its number of sequences and its L
#
# T rows, of which the first t are tokens and the others belong to no sequence, B sequences in a
# class, h heads of width d, H = h d. The padded layout has D >= d columns: those from d on are zero.

# From packed [T, H] to padded [B*h, L, D].
def padded(x: Tensor, pad: Tensor, sequences: int, L: int, d: int) -> Tensor:
  return __torch__.primitives.widen(torch.view(torch.index_select(torch.view(x, [-1, d]), 0, pad), [sequences, L, d]))

# From padded, the classes' [B*h, L, D], to packed [T, H]. Rows that are no tokens are zero.
def packed(classes: List[Tensor], pack: Tensor, d: int, T: int, H: int) -> Tensor:
  rows = annotate(List[Tensor], [])
  for c in range(torch.len(classes)):
    x = classes[c]
    if torch.gt(torch.size(x, 2), d):
      x = torch.contiguous(torch.slice(x, 2, 0, d))
    _0 = torch.append(rows, torch.view(x, [-1, d]))
  y = torch.view(torch.index_select(torch.cat(rows), 0, pack), [-1, H])
  if torch.lt(torch.size(y, 0), T):
    y = torch.constant_pad_nd(y, [0, 0, 0, T - torch.size(y, 0)])
  return y

# Returns the context [T, H], and for the backward pass, per class, q, k, v and the probabilities p,
# padded.
def forward(q: Tensor, k: Tensor, v: Tensor, pad: Tensor, pack: Tensor, mask: Tensor, classes: List[int], heads: int) -> Tuple[Tensor, List[Tensor]]:
  T = torch.size(q, 0)
  H = torch.size(q, 1)
  d = torch.floordiv(H, heads)
  scale = torch.div(1., torch.sqrt(d))
  contexts = annotate(List[Tensor], [])
  saved = annotate(List[Tensor], [])
  at = 0
  for c in range(torch.floordiv(torch.len(classes), 2)):
    n = torch.mul(classes[torch.mul(c, 2)], heads)
    L = classes[torch.mul(c, 2) + 1]
    to = at + torch.mul(n, L)
    rows = torch.slice(pad, 0, at, to)
    qc = __torch__.attention.padded(q, rows, n, L, d)
    kc = __torch__.attention.padded(k, rows, n, L, d)
    vc = __torch__.attention.padded(v, rows, n, L, d)
    hidden = torch.view(torch.slice(mask, 0, at, to), [n, 1, L])
    p = torch.softmax(__torch__.primitives.scores(hidden, qc, torch.transpose(kc, 1, 2), scale), -1)
    _0 = torch.append(contexts, __torch__.primitives.bmm(p, vc))
    _1 = torch.append(saved, qc)
    _2 = torch.append(saved, kc)
    _3 = torch.append(saved, vc)
    _4 = torch.append(saved, p)
    at = to
  return (__torch__.attention.packed(contexts, pack, d, T, H), saved)

# Returns the gradients of q, k and v, each [T, H].
def backward(dcontext: Tensor, saved: List[Tensor], pack: Tensor, heads: int) -> Tuple[Tensor, Tensor, Tensor]:
  T = torch.size(dcontext, 0)
  H = torch.size(dcontext, 1)
  d = torch.floordiv(H, heads)
  scale = torch.div(1., torch.sqrt(d))
  places = 0
  for c in range(torch.floordiv(torch.len(saved), 4)):
    places = places + torch.mul(torch.size(saved[torch.mul(c, 4)], 0), torch.size(saved[torch.mul(c, 4)], 1))
  all = torch.new_zeros(dcontext, [places, d])
  rows = torch.size(pack, 0)
  _0 = torch.index_copy_(all, 0, pack, torch.slice(torch.view(dcontext, [-1, d]), 0, 0, rows))
  dqs = annotate(List[Tensor], [])
  dks = annotate(List[Tensor], [])
  dvs = annotate(List[Tensor], [])
  at = 0
  for c in range(torch.floordiv(torch.len(saved), 4)):
    i = torch.mul(c, 4)
    q = saved[i]
    k = saved[i + 1]
    v = saved[i + 2]
    p = saved[i + 3]
    n = torch.size(q, 0)
    L = torch.size(q, 1)
    to = at + torch.mul(n, L)
    do = __torch__.primitives.widen(torch.view(torch.slice(all, 0, at, to), [n, L, d]))
    _1 = torch.append(dvs, __torch__.primitives.bmm(torch.transpose(p, 1, 2), do))
    dp = __torch__.primitives.bmm(do, torch.transpose(v, 1, 2))
    ds = torch.mul_(torch._softmax_backward_data(dp, p, -1, 6), scale)
    _2 = torch.append(dks, __torch__.primitives.bmm(torch.transpose(ds, 1, 2), q))
    _3 = torch.append(dqs, __torch__.primitives.bmm(ds, k))
    at = to
  dq = __torch__.attention.packed(dqs, pack, d, T, H)
  dk = __torch__.attention.packed(dks, pack, d, T, H)
  dv = __torch__.attention.packed(dvs, pack, d, T, H)
  return (dq, dk, dv)
