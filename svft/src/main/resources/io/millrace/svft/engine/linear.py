# Products with one linear weight W' [out, in]: forward, backward, and merged. LinearProduct.java has
# the same table of kinds.
#
#   kind 0     dense, frozen      [W, b]                            y = x t(W) + b
#   kind 1     dense, trained     [W, b]                            gradient of W
#   kind 2     factored, diagonal [Vt, U, b, s [n]]                 y = ((x V) * s) t(U) + b
#   kind 3     factored, bands    [Vt, U, b, bands [2d+1, n]]       bands[k, i] = S[i, i + k - d]
#   kind 4     factored, places   [Vt, U, b, s [n], index, m]       S = diag(s), S.flat[index] += m
#   kind 5     factored, scored   [Vt, U, b, s [n]]                 gradient of every entry of S
#   kind 6     factored, frozen   [Vt, U, b, s [n]]                 as kind 2, without a gradient
#
#   low        the low-rank term of the weight: empty, or [A [r, in], B [out, r], c [1]]:
#              y += c (x t(A)) t(B)
#
# t(x) is the transpose of x, and V = t(Vt). S maps z = x V to z t(S), so M[i, j] maps direction j
# to direction i.

# Returns S [n, n] = diag(s) with m added at the row-major positions index.
def places(s: Tensor, index: Tensor, m: Tensor) -> Tensor:
  n = torch.size(s, 0)
  S = torch.diag(s)
  _0 = torch.index_add_(torch.view(S, [-1]), 0, index, m)
  return S

# Returns y [T, out], and the tensors that the backward pass needs of this weight.
def forward(x: Tensor, kind: int, w: List[Tensor], low: List[Tensor]) -> Tuple[Tensor, List[Tensor]]:
  saved = annotate(List[Tensor], [])
  if torch.le(kind, 1):
    y = __torch__.primitives.addmm(w[1], x, torch.t(w[0]))
    if torch.eq(kind, 1):
      _0 = torch.append(saved, x)
  else:
    z = __torch__.primitives.mm(x, torch.t(w[0]))
    if torch.eq(kind, 3):
      bands = w[3]
      count = torch.size(bands, 0)
      n = torch.size(bands, 1)
      d = torch.floordiv(count, 2)
      z = torch.constant_pad_nd(z, [d, d])
      zs = torch.mul(torch.slice(z, 1, 0, n), torch.select(bands, 0, 0))
      for k in range(1, count):
        zs = torch.addcmul_(zs, torch.slice(z, 1, k, k + n), torch.select(bands, 0, k))
    else:
      if torch.eq(kind, 4):
        zs = __torch__.primitives.mm(z, torch.t(__torch__.linear.places(w[3], w[4], w[5])))
      else:
        zs = torch.mul(z, w[3])
    y = __torch__.primitives.addmm(w[2], zs, torch.t(w[1]))
    _1 = torch.append(saved, z)
  if torch.gt(torch.len(low), 0):
    h = torch.mul(__torch__.primitives.mm(x, torch.t(low[0])), low[2])
    y = __torch__.primitives.addmm(y, h, torch.t(low[1]))
    _2 = torch.append(saved, x)
    _3 = torch.append(saved, h)
  return (y, saved)

# Returns a b, plus the term in plus, if there is one.
def product(a: Tensor, b: Tensor, plus: List[Tensor]) -> Tensor:
  if torch.gt(torch.len(plus), 0):
    y = __torch__.primitives.addmm(plus[0], a, b)
  else:
    y = __torch__.primitives.mm(a, b)
  return y

# Appends this weight's gradients, flat, to grads. If wanted is set, returns the gradient of x plus
# acc.
def backward(dy: Tensor, kind: int, w: List[Tensor], low: List[Tensor], saved: List[Tensor], grads: List[Tensor], wanted: bool, acc: List[Tensor]) -> Tensor:
  dx = dy
  if torch.le(kind, 1):
    if torch.eq(kind, 1):
      _0 = torch.append(grads, torch.reshape(__torch__.primitives.mm(torch.t(dy), saved[0]), [-1]))
    if wanted:
      dx = __torch__.linear.product(dy, w[0], acc)
  else:
    z = saved[0]
    dzs = __torch__.primitives.mm(dy, w[1])
    if torch.eq(kind, 3):
      bands = w[3]
      count = torch.size(bands, 0)
      n = torch.size(bands, 1)
      d = torch.floordiv(count, 2)
      dzp = torch.zeros_like(z)
      for k in range(count):
        _1 = torch.append(grads, torch.sum(torch.mul(dzs, torch.slice(z, 1, k, k + n)), [0]))
        _2 = torch.addcmul_(torch.slice(dzp, 1, k, k + n), dzs, torch.select(bands, 0, k))
      dz = torch.slice(dzp, 1, d, d + n)
    else:
      if torch.eq(kind, 4):
        dS = torch.reshape(__torch__.primitives.mm(torch.t(dzs), z), [-1])
        _3 = torch.append(grads, torch.index_select(dS, 0, w[4]))
        dz = __torch__.primitives.mm(dzs, __torch__.linear.places(w[3], w[4], w[5]))
      else:
        if torch.eq(kind, 5):
          _4 = torch.append(grads, torch.reshape(__torch__.primitives.mm(torch.t(dzs), z), [-1]))
        if torch.eq(kind, 2):
          _5 = torch.append(grads, torch.sum(torch.mul(dzs, z), [0]))
        dz = torch.mul_(dzs, w[3])
    if wanted:
      dx = __torch__.linear.product(dz, w[0], acc)
  if torch.gt(torch.len(low), 0):
    i = torch.len(saved) - 2
    dh = torch.mul(__torch__.primitives.mm(dy, low[1]), low[2])
    _6 = torch.append(grads, torch.reshape(__torch__.primitives.mm(torch.t(dh), saved[i]), [-1]))
    _7 = torch.append(grads, torch.reshape(__torch__.primitives.mm(torch.t(dy), saved[i + 1]), [-1]))
    if wanted:
      dx = __torch__.primitives.addmm(dx, dh, low[0])
  return dx

# Returns the matrix W' [out, in].
def merge(kind: int, w: List[Tensor], low: List[Tensor]) -> Tensor:
  if torch.le(kind, 1):
    W = w[0]
  else:
    if torch.eq(kind, 3):
      bands = w[3]
      d = torch.floordiv(torch.size(bands, 0), 2)
      n = torch.size(bands, 1)
      zp = torch.constant_pad_nd(torch.new_zeros(bands, [n, n]), [d, d])
      for k in range(torch.size(bands, 0)):
        _0 = torch.add_(torch.diagonal(torch.slice(zp, 1, k, k + n)), torch.select(bands, 0, k))
      W = __torch__.primitives.mm(__torch__.primitives.mm(w[1], torch.slice(zp, 1, d, d + n)), w[0])
    else:
      if torch.eq(kind, 4):
        W = __torch__.primitives.mm(__torch__.primitives.mm(w[1], __torch__.linear.places(w[3], w[4], w[5])), w[0])
      else:
        W = __torch__.primitives.mm(torch.mul(w[1], w[3]), w[0])
  if torch.gt(torch.len(low), 0):
    W = __torch__.primitives.addmm(W, torch.mul(low[1], low[2]), low[0])
  return W
