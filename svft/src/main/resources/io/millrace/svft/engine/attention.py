# Scaled dot-product attention (Vaswani et al., 2017, arXiv 1706.03762, equation 1) of each sequence
# over itself. Tokens are packed, one row each. Attention computes in a padded layout, described by
#
#   pad  [B*h*L]      for each place the packed row that fills it
#   pack [t*h]        for each packed row of a token its place
#   mask [B*h, 1, L]  0 at tokens, far below any score at padding
#
# T rows, of which the first t are tokens and the others belong to no sequence, B sequences, h heads
# of width d, L places per sequence, H = h d. The padded layout has D >= d columns: those from d on
# are zero.

# From packed [T, H] to padded [B*h, L, D].
def padded(x: Tensor, pad: Tensor, sequences: int, L: int, d: int) -> Tensor:
  return __torch__.primitives.widen(torch.view(torch.index_select(torch.view(x, [-1, d]), 0, pad), [sequences, L, d]))

# From padded [B*h, L, D] to packed [T, H]. Rows that are no tokens are zero.
def packed(x: Tensor, pack: Tensor, d: int, T: int, H: int) -> Tensor:
  if torch.gt(torch.size(x, 2), d):
    x = torch.contiguous(torch.slice(x, 2, 0, d))
  y = torch.view(torch.index_select(torch.view(x, [-1, d]), 0, pack), [-1, H])
  if torch.lt(torch.size(y, 0), T):
    y = torch.constant_pad_nd(y, [0, 0, 0, T - torch.size(y, 0)])
  return y

# Returns the context [T, H], and q, k, v and the probabilities p, padded, for the backward pass.
def forward(q: Tensor, k: Tensor, v: Tensor, pad: Tensor, pack: Tensor, mask: Tensor, heads: int) -> Tuple[Tensor, List[Tensor]]:
  T = torch.size(q, 0)
  H = torch.size(q, 1)
  d = torch.floordiv(H, heads)
  scale = torch.div(1., torch.sqrt(d))
  n = torch.size(mask, 0)
  L = torch.size(mask, 2)
  q = __torch__.attention.padded(q, pad, n, L, d)
  k = __torch__.attention.padded(k, pad, n, L, d)
  v = __torch__.attention.padded(v, pad, n, L, d)
  p = torch.softmax(__torch__.primitives.scores(mask, q, torch.transpose(k, 1, 2), scale), -1)
  context = __torch__.attention.packed(__torch__.primitives.bmm(p, v), pack, d, T, H)
  return (context, [q, k, v, p])

# Returns the gradients of q, k and v, each [T, H].
def backward(dcontext: Tensor, saved: List[Tensor], pad: Tensor, pack: Tensor, heads: int) -> Tuple[Tensor, Tensor, Tensor]:
  T = torch.size(dcontext, 0)
  H = torch.size(dcontext, 1)
  d = torch.floordiv(H, heads)
  scale = torch.div(1., torch.sqrt(d))
  q = saved[0]
  k = saved[1]
  v = saved[2]
  p = saved[3]
  do = torch.new_zeros(dcontext, [torch.size(pad, 0), d])
  rows = torch.size(pack, 0)
  _0 = torch.index_copy_(do, 0, pack, torch.slice(torch.view(dcontext, [-1, d]), 0, 0, rows))
  do = __torch__.primitives.widen(torch.view(do, [torch.size(q, 0), torch.size(q, 1), d]))
  dv = __torch__.primitives.bmm(torch.transpose(p, 1, 2), do)
  dp = __torch__.primitives.bmm(do, torch.transpose(v, 1, 2))
  ds = torch.mul_(torch._softmax_backward_data(dp, p, -1, 6), scale)
  dk = __torch__.primitives.bmm(torch.transpose(ds, 1, 2), q)
  dq = __torch__.primitives.bmm(ds, k)
  dq = __torch__.attention.packed(dq, pack, d, T, H)
  dk = __torch__.attention.packed(dk, pack, d, T, H)
  dv = __torch__.attention.packed(dv, pack, d, T, H)
  return (dq, dk, dv)
