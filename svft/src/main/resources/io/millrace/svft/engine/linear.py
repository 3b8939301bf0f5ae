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
#
# Vt and U and the W of kind 0 may be packed, in the backward pass as their transposes: see
# primitives.py.
#
# The rows of a slice may belong to several adapters. What an adapter has of its own (W of kind 1, s
# of kind 2, bands, index, m, A, B) then stands D times, one adapter's after the other's, along the
# first dimension. encoder.py describes spans and adapters. Where each row has its own factors, all
# rows are computed at once; else, and for every sum over rows, segment after segment.

# Returns block i of D equal blocks of x along the first dimension.
def own(x: Tensor, i: int, D: int) -> Tensor:
  size = torch.floordiv(torch.size(x, 0), D)
  return torch.slice(x, 0, torch.mul(i, size), torch.mul(i + 1, size))

# Returns line k of the c lines that each adapter has in x [D c, n], for each row: [T, n], or [1, n]
# where there is one adapter.
def line(x: Tensor, k: int, c: int, D: int, adapters: Tensor) -> Tensor:
  n = torch.size(x, -1)
  y = torch.select(torch.view(x, [D, c, n]), 1, k)
  if torch.gt(D, 1):
    y = torch.index_select(y, 0, adapters)
  return y

# Returns the parts, and the rows of x after the last segment, one after the other.
def rows(parts: List[Tensor], x: Tensor, spans: List[List[int]]) -> Tensor:
  end = spans[1][torch.len(spans[2])]
  if torch.lt(end, torch.size(x, 0)):
    _0 = torch.append(parts, torch.slice(x, 0, end, torch.size(x, 0)))
  if torch.eq(torch.len(parts), 1):
    y = parts[0]
  else:
    y = torch.cat(parts)
  return y

# Appends the sum of the rows of x, segment after segment.
def sums(x: Tensor, spans: List[List[int]], grads: List[Tensor]) -> NoneType:
  for s in range(torch.len(spans[2])):
    _0 = torch.append(grads, torch.sum(torch.slice(x, 0, spans[1][s], spans[1][s + 1]), [0]))
  return None

# Appends the product t(a) b of the rows of each segment, flat.
def outer(a: Tensor, b: Tensor, spans: List[List[int]], grads: List[Tensor]) -> NoneType:
  for s in range(torch.len(spans[2])):
    own = torch.slice(a, 0, spans[1][s], spans[1][s + 1])
    other = torch.slice(b, 0, spans[1][s], spans[1][s + 1])
    _0 = torch.append(grads, torch.reshape(__torch__.primitives.mm(torch.t(own), other), [-1]))
  return None

# Returns S [n, n] = diag(s) with m added at the row-major positions index, of adapter i of D.
def places(w: List[Tensor], i: int, D: int) -> Tensor:
  S = torch.diag(w[3])
  index = __torch__.linear.own(w[4], i, D)
  _0 = torch.index_add_(torch.view(S, [-1]), 0, index, __torch__.linear.own(w[5], i, D))
  return S

# Returns y [T, out], and the tensors that the backward pass needs of this weight.
def forward(x: Tensor, kind: int, w: List[Tensor], low: List[Tensor], adapters: Tensor, spans: List[List[int]]) -> Tuple[Tensor, List[Tensor]]:
  saved = annotate(List[Tensor], [])
  cuts = spans[1]
  owners = spans[2]
  D = spans[4][0]
  if torch.eq(kind, 1):
    parts = annotate(List[Tensor], [])
    for s in range(torch.len(owners)):
      W = __torch__.linear.own(w[0], owners[s], D)
      _0 = torch.append(parts, __torch__.primitives.addmm(w[1], torch.slice(x, 0, cuts[s], cuts[s + 1]), torch.t(W)))
    if torch.lt(cuts[torch.len(owners)], torch.size(x, 0)):
      _1 = torch.append(parts, torch.new_zeros(x, [torch.size(x, 0) - cuts[torch.len(owners)], torch.size(w[1], 0)]))
    y = torch.cat(parts)
    _2 = torch.append(saved, x)
  else:
    if torch.eq(kind, 0):
      y = __torch__.primitives.linear(x, w[0], w[1])
    else:
      z = __torch__.primitives.linear(x, w[0], None)
      if torch.eq(kind, 3):
        bands = w[3]
        count = torch.floordiv(torch.size(bands, 0), D)
        n = torch.size(bands, 1)
        d = torch.floordiv(count, 2)
        z = torch.constant_pad_nd(z, [d, d])
        zs = torch.mul(torch.slice(z, 1, 0, n), __torch__.linear.line(bands, 0, count, D, adapters))
        for k in range(1, count):
          zs = torch.addcmul_(zs, torch.slice(z, 1, k, k + n), __torch__.linear.line(bands, k, count, D, adapters))
      else:
        if torch.eq(kind, 4):
          parts = annotate(List[Tensor], [])
          for s in range(torch.len(owners)):
            S = __torch__.linear.places(w, owners[s], D)
            _3 = torch.append(parts, __torch__.primitives.mm(torch.slice(z, 0, cuts[s], cuts[s + 1]), torch.t(S)))
          zs = __torch__.linear.rows(parts, z, spans)
        else:
          if torch.eq(kind, 2):
            zs = torch.mul(z, __torch__.linear.line(w[3], 0, 1, D, adapters))
          else:
            zs = torch.mul(z, w[3])
      y = __torch__.primitives.linear(zs, w[1], w[2])
      _4 = torch.append(saved, z)
  if torch.gt(torch.len(low), 0):
    parts = annotate(List[Tensor], [])
    hs = annotate(List[Tensor], [])
    for s in range(torch.len(owners)):
      A = __torch__.linear.own(low[0], owners[s], D)
      B = __torch__.linear.own(low[1], owners[s], D)
      h = torch.mul(__torch__.primitives.mm(torch.slice(x, 0, cuts[s], cuts[s + 1]), torch.t(A)), low[2])
      _5 = torch.append(parts, __torch__.primitives.addmm(torch.slice(y, 0, cuts[s], cuts[s + 1]), h, torch.t(B)))
      _6 = torch.append(hs, h)
    y = __torch__.linear.rows(parts, y, spans)
    _7 = torch.append(saved, x)
    _8 = torch.append(saved, torch.cat(hs))
  return (y, saved)

# Returns a b, plus the term in plus, if there is one. The transpose of b may be packed.
def product(a: Tensor, b: Tensor, plus: List[Tensor]) -> Tensor:
  if torch.eq(torch.len(plus), 0):
    y = __torch__.primitives.back(a, b)
  else:
    if b.is_mkldnn:
      y = torch.add_(__torch__.primitives.back(a, b), plus[0])
    else:
      y = __torch__.primitives.addmm(plus[0], a, b)
  return y

# Appends this weight's gradients, flat, to grads: each for every segment. If wanted is set, returns
# the gradient of x plus acc.
def backward(dy: Tensor, kind: int, w: List[Tensor], low: List[Tensor], adapters: Tensor, spans: List[List[int]], saved: List[Tensor], grads: List[Tensor], wanted: bool, acc: List[Tensor]) -> Tensor:
  dx = dy
  cuts = spans[1]
  owners = spans[2]
  D = spans[4][0]
  if torch.eq(kind, 1):
    _0 = __torch__.linear.outer(dy, saved[0], spans, grads)
    if wanted:
      parts = annotate(List[Tensor], [])
      for s in range(torch.len(owners)):
        W = __torch__.linear.own(w[0], owners[s], D)
        plus = annotate(List[Tensor], [])
        if torch.gt(torch.len(acc), 0):
          _1 = torch.append(plus, torch.slice(acc[0], 0, cuts[s], cuts[s + 1]))
        _2 = torch.append(parts, __torch__.linear.product(torch.slice(dy, 0, cuts[s], cuts[s + 1]), W, plus))
      if torch.lt(cuts[torch.len(owners)], torch.size(dy, 0)):
        _3 = torch.append(parts, torch.new_zeros(dy, [torch.size(dy, 0) - cuts[torch.len(owners)], torch.size(w[0], 1)]))
      dx = torch.cat(parts)
  else:
    if torch.eq(kind, 0):
      if wanted:
        dx = __torch__.linear.product(dy, w[0], acc)
    else:
      z = saved[0]
      dzs = __torch__.primitives.back(dy, w[1])
      if torch.eq(kind, 3):
        bands = w[3]
        count = torch.floordiv(torch.size(bands, 0), D)
        n = torch.size(bands, 1)
        d = torch.floordiv(count, 2)
        dzp = torch.zeros_like(z)
        for k in range(count):
          _4 = __torch__.linear.sums(torch.mul(dzs, torch.slice(z, 1, k, k + n)), spans, grads)
          _5 = torch.addcmul_(torch.slice(dzp, 1, k, k + n), dzs, __torch__.linear.line(bands, k, count, D, adapters))
        dz = torch.slice(dzp, 1, d, d + n)
      else:
        if torch.eq(kind, 4):
          parts = annotate(List[Tensor], [])
          for s in range(torch.len(owners)):
            own = torch.slice(dzs, 0, cuts[s], cuts[s + 1])
            dS = torch.reshape(__torch__.primitives.mm(torch.t(own), torch.slice(z, 0, cuts[s], cuts[s + 1])), [-1])
            _6 = torch.append(grads, torch.index_select(dS, 0, __torch__.linear.own(w[4], owners[s], D)))
            _7 = torch.append(parts, __torch__.primitives.mm(own, __torch__.linear.places(w, owners[s], D)))
          dz = __torch__.linear.rows(parts, dzs, spans)
        else:
          if torch.eq(kind, 5):
            _8 = __torch__.linear.outer(dzs, z, spans, grads)
          if torch.eq(kind, 2):
            _9 = __torch__.linear.sums(torch.mul(dzs, z), spans, grads)
            dz = torch.mul_(dzs, __torch__.linear.line(w[3], 0, 1, D, adapters))
          else:
            dz = torch.mul_(dzs, w[3])
      if wanted:
        dx = __torch__.linear.product(dz, w[0], acc)
  if torch.gt(torch.len(low), 0):
    i = torch.len(saved) - 2
    dhs = annotate(List[Tensor], [])
    dxs = annotate(List[Tensor], [])
    for s in range(torch.len(owners)):
      A = __torch__.linear.own(low[0], owners[s], D)
      B = __torch__.linear.own(low[1], owners[s], D)
      dh = torch.mul(__torch__.primitives.mm(torch.slice(dy, 0, cuts[s], cuts[s + 1]), B), low[2])
      _10 = torch.append(dhs, dh)
      if wanted:
        _11 = torch.append(dxs, __torch__.primitives.addmm(torch.slice(dx, 0, cuts[s], cuts[s + 1]), dh, A))
    _12 = __torch__.linear.outer(torch.cat(dhs), saved[i], spans, grads)
    _13 = __torch__.linear.outer(dy, saved[i + 1], spans, grads)
    if wanted:
      dx = __torch__.linear.rows(dxs, dx, spans)
  return dx

# Returns the matrix W' [out, in] of one adapter.
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
        W = __torch__.primitives.mm(__torch__.primitives.mm(w[1], __torch__.linear.places(w, 0, 1)), w[0])
      else:
        W = __torch__.primitives.mm(torch.mul(w[1], w[3]), w[0])
  if torch.gt(torch.len(low), 0):
    W = __torch__.primitives.addmm(W, torch.mul(low[1], low[2]), low[0])
  return W
