# Scaled dot-product attention (Vaswani et al., 2017, arXiv 1706.03762, equation 1) of each sequence
# over itself. Tokens are packed, one row each. Attention computes in a padded layout, described by
#
#   pad  [B*h*L]      for each place the packed row that fills it
#   pack [T*h]        for each packed row its place
#   mask [B*h, 1, L]  0 at tokens, far below any score at padding
#
# T tokens, B sequences, h heads of width d, L places per sequence, H = h d.

# From packed [T, H] to padded [B*h, L, d].
def padded(x: Tensor, pad: Tensor, mask: Tensor, d: int) -> Tensor:
  return torch.view(torch.index_select(torch.view(x, [-1, d]), 0, pad), [torch.size(mask, 0), torch.size(mask, 2), d])

# From padded [B*h, L, d] to packed [T, H].
def packed(x: Tensor, pack: Tensor, d: int, T: int, H: int) -> Tensor:
  return torch.view(torch.index_select(torch.view(x, [-1, d]), 0, pack), [T, H])

# Returns the context [T, H], and q, k, v and the probabilities p, padded, for the backward pass.
def forward(q: Tensor, k: Tensor, v: Tensor, pad: Tensor, pack: Tensor, mask: Tensor, heads: int) -> Tuple[Tensor, List[Tensor]]:
  T = torch.size(q, 0)
  H = torch.size(q, 1)
  d = torch.floordiv(H, heads)
  scale = torch.div(1., torch.sqrt(d))
  q = __torch__.attention.padded(q, pad, mask, d)
  k = __torch__.attention.padded(k, pad, mask, d)
  v = __torch__.attention.padded(v, pad, mask, d)
  p = torch.softmax(torch.baddbmm(mask, q, torch.transpose(k, 1, 2), beta=1, alpha=scale), -1)
  context = __torch__.attention.packed(torch.bmm(p, v), pack, d, T, H)
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
  _0 = torch.index_copy_(do, 0, pack, torch.view(dcontext, [-1, d]))
  do = torch.view(do, torch.size(q))
  dv = torch.bmm(torch.transpose(p, 1, 2), do)
  dp = torch.bmm(do, torch.transpose(v, 1, 2))
  ds = torch.mul_(torch._softmax_backward_data(dp, p, -1, 6), scale)
  dk = torch.bmm(torch.transpose(ds, 1, 2), q)
  dq = torch.bmm(ds, k)
  dq = __torch__.attention.packed(dq, pack, d, T, H)
  dk = __torch__.attention.packed(dk, pack, d, T, H)
  dv = __torch__.attention.packed(dv, pack, d, T, H)
  return (dq, dk, dv)
