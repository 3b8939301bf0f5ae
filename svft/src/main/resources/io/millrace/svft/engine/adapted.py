# The product with one linear weight as an adapter method changes it: a product of linear.py, which is
# frozen, and a term around it. LinearProduct.java has the same table of terms. The number of a product
# is 16 term + kind, so that without a term it is the kind alone.
#
#   term 1     scaled           [l [D, out]]                 y = (x t(W) + b) * l
#   term 2     input scaled     [l [D, in]]                  y = (x * l) t(W) + b
#   term 3     biased           [c [D, out]]                 y = x t(W) + c
#   term 4     shared           [A [r, in], B [out, r],      y += (((x t(A)) * d) t(B)) * l
#                                d [D, r], l [D, out]]
#   term 5     magnitude        [A, B, c, m [D, out],        V = W + c B A: y = (x t(V)) * (m / n) + b,
#                                n [D, out], b [out]]        where n, the norms of V's rows, is constant
#   term 6     core             [Vt [r, in], U [out, r],     y += ((x V) t(M)) t(U)
#                                M [D r, r]]
#   term 7     rotated          [R [m k, s, s], P [m in],    y = (x Q) t(W) + b, with m factors of k blocks:
#                                inverse [m in]]             see rotate. Or with [..., l [1, out], b [out]]
#                                                            y = ((x Q) t(W)) * l + b
#   term 8     reflected        [U [in, r], S [r, r]]        y = (x + ((x U) S) t(U)) t(W) + b
#
# Terms 3, 5 and the longer form of 7 have the bias themselves: the product's is zero. Terms 7 and 8
# are for one adapter, D = 1. encoder.py and linear.py describe the other arguments.

# Returns x t(W), without a bias, for the frozen kinds of linear.py.
def plain(x: Tensor, kind: int, w: List[Tensor]) -> Tensor:
  if torch.eq(kind, 0):
    y = __torch__.primitives.mm(x, torch.t(w[0]))
  else:
    y = __torch__.primitives.mm(torch.mul(__torch__.primitives.mm(x, torch.t(w[0])), w[3]), torch.t(w[1]))
  return y

# Returns the norms [D, out] of the rows of V = W + c B A for term 5. squares [1, out] are those of
# W's rows.
def norms(kind: int, w: List[Tensor], A: Tensor, B: Tensor, c: Tensor, squares: Tensor, D: int) -> Tensor:
  all = annotate(List[Tensor], [])
  for i in range(D):
    a = __torch__.linear.own(A, i, D)
    b = __torch__.linear.own(B, i, D)
    cross = torch.sum(torch.mul(torch.t(b), __torch__.adapted.plain(a, kind, w)), [0], True)
    own = torch.sum(torch.mul(__torch__.primitives.mm(b, __torch__.primitives.mm(a, torch.t(a))), b), [1])
    square = torch.add(squares, torch.mul(torch.mul(cross, c), 2.))
    _0 = torch.append(all, torch.add(square, torch.mul(torch.mul(torch.unsqueeze(own, 0), c), c)))
  return torch.sqrt(torch.cat(all))

# Returns the product of the rows of each segment with t(M) of its adapter.
def each(x: Tensor, M: Tensor, spans: List[List[int]], transposed: bool) -> Tensor:
  parts = annotate(List[Tensor], [])
  for s in range(torch.len(spans[2])):
    own = __torch__.linear.own(M, spans[2][s], spans[4][0])
    if transposed:
      own = torch.t(own)
    _0 = torch.append(parts, __torch__.primitives.mm(torch.slice(x, 0, spans[1][s], spans[1][s + 1]), own))
  return __torch__.linear.rows(parts, x, spans)

# From [T, in] to [k, T, s]. The inputs are in the order of index, if there is one.
def blocked(x: Tensor, index: List[Tensor], s: int) -> Tensor:
  if torch.gt(torch.len(index), 0):
    x = torch.index_select(x, 1, index[0])
  return torch.contiguous(torch.transpose(torch.view(x, [torch.size(x, 0), -1, s]), 0, 1))

# From [k, T, s] to [T, in], in the order of index, if there is one.
def joined(x: Tensor, index: List[Tensor]) -> Tensor:
  y = torch.reshape(torch.transpose(x, 0, 1), [torch.size(x, 1), -1])
  if torch.gt(torch.len(index), 0):
    y = torch.index_select(y, 1, index[0])
  return y

# Returns x Q for Q = Q[m-1] ... Q[0], where Q[i] is block-diagonal, with the blocks R[i k], ..., between
# the permutation P[i] and its inverse; P[0] permutes nothing. Or x t(Q) if back is set. Appends the
# blocks of rows that each factor reads to saved.
def rotate(x: Tensor, low: List[Tensor], back: bool, saved: List[Tensor]) -> Tensor:
  width = torch.size(x, 1)
  s = torch.size(low[0], 2)
  k = torch.floordiv(width, s)
  m = torch.floordiv(torch.size(low[0], 0), k)
  for j in range(m):
    i = j
    if torch.__not__(back):
      i = m - 1 - j
    to = annotate(List[Tensor], [])
    fro = annotate(List[Tensor], [])
    if torch.gt(i, 0):
      _0 = torch.append(to, torch.slice(low[2], 0, torch.mul(i, width), torch.mul(i + 1, width)))
      _1 = torch.append(fro, torch.slice(low[1], 0, torch.mul(i, width), torch.mul(i + 1, width)))
    R = torch.slice(low[0], 0, torch.mul(i, k), torch.mul(i + 1, k))
    if back:
      R = torch.transpose(R, 1, 2)
    xs = __torch__.adapted.blocked(x, to, s)
    _2 = torch.append(saved, xs)
    x = __torch__.adapted.joined(__torch__.primitives.blocks(xs, R), fro)
  return x

# Appends the gradient of R, segment after segment, for the gradient dt of x Q. Returns that of x.
def rotation(dt: Tensor, low: List[Tensor], spans: List[List[int]], read: List[Tensor], grads: List[Tensor]) -> Tensor:
  written = annotate(List[Tensor], [])
  dx = __torch__.adapted.rotate(dt, low, True, written)
  m = torch.len(read)
  for s in range(torch.len(spans[2])):
    parts = annotate(List[Tensor], [])
    for i in range(m):
      # The factors read in the order m - 1, ..., 0, and their gradients came in the order 0, ..., m - 1.
      own = torch.slice(read[m - 1 - i], 1, spans[1][s], spans[1][s + 1])
      other = torch.slice(written[i], 1, spans[1][s], spans[1][s + 1])
      _1 = torch.append(parts, torch.reshape(__torch__.primitives.blocks(torch.transpose(own, 1, 2), other), [-1]))
    _2 = torch.append(grads, torch.cat(parts))
  return dx

# Returns y [T, out], and the tensors that the backward pass needs of this weight: first those of the
# product, then those of the term.
def forward(x: Tensor, number: int, w: List[Tensor], low: List[Tensor], adapters: Tensor, spans: List[List[int]]) -> Tuple[Tensor, List[Tensor]]:
  term = torch.floordiv(number, 16)
  kind = number - torch.mul(term, 16)
  D = spans[4][0]
  none = annotate(List[Tensor], [])
  if torch.eq(term, 0):
    y, saved = __torch__.linear.forward(x, kind, w, low, adapters, spans)
  else:
    if torch.eq(term, 2):
      y, saved = __torch__.linear.forward(torch.mul(x, __torch__.linear.line(low[0], 0, 1, D, adapters)), kind, w, none, adapters, spans)
      _0 = torch.append(saved, x)
    else:
      if torch.eq(term, 5):
        v, saved = __torch__.linear.forward(x, kind, w, [low[0], low[1], low[2]], adapters, spans)
        scale = __torch__.linear.line(torch.div(low[3], low[4]), 0, 1, D, adapters)
        y = torch.addcmul(low[5], v, scale)
        _1 = torch.append(saved, v)
      else:
        if torch.eq(term, 7):
          read = annotate(List[Tensor], [])
          y, saved = __torch__.linear.forward(__torch__.adapted.rotate(x, low, False, read), kind, w, none, adapters, spans)
          if torch.gt(torch.len(low), 3):
            _2 = torch.append(read, y)
            y = torch.addcmul(low[4], y, low[3])
          saved = torch.add(saved, read)
        else:
          if torch.eq(term, 8):
            z = __torch__.primitives.mm(x, low[0])
            turned = __torch__.primitives.addmm(x, __torch__.primitives.mm(z, low[1]), torch.t(low[0]))
            y, saved = __torch__.linear.forward(turned, kind, w, none, adapters, spans)
            _3 = torch.append(saved, x)
            _4 = torch.append(saved, z)
          else:
            y, saved = __torch__.linear.forward(x, kind, w, none, adapters, spans)
            if torch.eq(term, 1):
              _5 = torch.append(saved, y)
              y = torch.mul(y, __torch__.linear.line(low[0], 0, 1, D, adapters))
            else:
              if torch.eq(term, 3):
                y = torch.add_(y, __torch__.linear.line(low[0], 0, 1, D, adapters))
              else:
                if torch.eq(term, 4):
                  h = __torch__.primitives.mm(x, torch.t(low[0]))
                  u = __torch__.primitives.mm(torch.mul(h, __torch__.linear.line(low[2], 0, 1, D, adapters)), torch.t(low[1]))
                  y = torch.addcmul_(y, u, __torch__.linear.line(low[3], 0, 1, D, adapters))
                  _6 = torch.append(saved, h)
                  _7 = torch.append(saved, u)
                else:
                  z = __torch__.primitives.mm(x, torch.t(low[0]))
                  y = __torch__.primitives.addmm(y, __torch__.adapted.each(z, low[2], spans, True), torch.t(low[1]))
                  _8 = torch.append(saved, z)
  return (y, saved)

# Returns x plus the term in plus, if there is one.
def plus(x: Tensor, plus: List[Tensor]) -> Tensor:
  if torch.gt(torch.len(plus), 0):
    x = torch.add(x, plus[0])
  return x

# As linear.backward. Appends the gradients in the order of the term's trained tensors.
def backward(dy: Tensor, number: int, w: List[Tensor], low: List[Tensor], adapters: Tensor, spans: List[List[int]], saved: List[Tensor], grads: List[Tensor], wanted: bool, acc: List[Tensor]) -> Tensor:
  term = torch.floordiv(number, 16)
  kind = number - torch.mul(term, 16)
  D = spans[4][0]
  none = annotate(List[Tensor], [])
  n = torch.len(saved)
  if torch.eq(term, 0):
    dx = __torch__.linear.backward(dy, kind, w, low, adapters, spans, saved, grads, wanted, acc)
  else:
    if torch.eq(term, 1):
      _0 = __torch__.linear.sums(torch.mul(dy, saved[n - 1]), spans, grads)
      dx = __torch__.linear.backward(torch.mul(dy, __torch__.linear.line(low[0], 0, 1, D, adapters)), kind, w, none, adapters, spans, saved, grads, wanted, acc)
    else:
      if torch.eq(term, 2):
        dl = __torch__.linear.backward(dy, kind, w, none, adapters, spans, saved, grads, True, none)
        _1 = __torch__.linear.sums(torch.mul(dl, saved[n - 1]), spans, grads)
        dx = __torch__.adapted.plus(torch.mul(dl, __torch__.linear.line(low[0], 0, 1, D, adapters)), acc)
      else:
        if torch.eq(term, 3):
          _2 = __torch__.linear.sums(dy, spans, grads)
          dx = __torch__.linear.backward(dy, kind, w, none, adapters, spans, saved, grads, wanted, acc)
        else:
          if torch.eq(term, 4):
            dg = __torch__.primitives.mm(torch.mul(dy, __torch__.linear.line(low[3], 0, 1, D, adapters)), low[1])
            _3 = __torch__.linear.sums(torch.mul(dg, saved[n - 2]), spans, grads)
            _4 = __torch__.linear.sums(torch.mul(dy, saved[n - 1]), spans, grads)
            dx = __torch__.linear.backward(dy, kind, w, none, adapters, spans, saved, grads, wanted, acc)
            if wanted:
              dx = __torch__.primitives.addmm(dx, torch.mul(dg, __torch__.linear.line(low[2], 0, 1, D, adapters)), low[0])
          else:
            if torch.eq(term, 5):
              v = saved[n - 1]
              scaled = torch.mul(dy, __torch__.linear.line(torch.div(low[3], low[4]), 0, 1, D, adapters))
              dx = __torch__.linear.backward(scaled, kind, w, [low[0], low[1], low[2]], adapters, spans, torch.slice(saved, 0, n - 1), grads, wanted, acc)
              dm = annotate(List[Tensor], [])
              _5 = __torch__.linear.sums(torch.mul(dy, v), spans, dm)
              for s in range(torch.len(spans[2])):
                _6 = torch.append(grads, torch.div(dm[s], torch.select(low[4], 0, spans[2][s])))
            else:
              if torch.eq(term, 6):
                dh = __torch__.primitives.mm(dy, low[1])
                _7 = __torch__.linear.outer(dh, saved[n - 1], spans, grads)
                dx = __torch__.linear.backward(dy, kind, w, none, adapters, spans, saved, grads, wanted, acc)
                if wanted:
                  dx = __torch__.primitives.addmm(dx, __torch__.adapted.each(dh, low[2], spans, False), low[0])
              else:
                if torch.eq(term, 7):
                  scaled = dy
                  end = n
                  dl = annotate(List[Tensor], [])
                  if torch.gt(torch.len(low), 3):
                    _8 = __torch__.linear.sums(torch.mul(dy, saved[n - 1]), spans, dl)
                    scaled = torch.mul(dy, low[3])
                    end = n - 1
                  width = torch.mul(torch.size(saved[end - 1], 0), torch.size(saved[end - 1], 2))
                  m = torch.floordiv(torch.size(low[1], 0), width)
                  dt = __torch__.linear.backward(scaled, kind, w, none, adapters, spans, saved, grads, True, none)
                  turned = __torch__.adapted.rotation(dt, low, spans, torch.slice(saved, end - m, end), grads)
                  for s in range(torch.len(dl)):
                    _10 = torch.append(grads, dl[s])
                  dx = __torch__.adapted.plus(turned, acc)
                else:
                  dt = __torch__.linear.backward(dy, kind, w, none, adapters, spans, saved, grads, True, none)
                  x = saved[n - 2]
                  z = saved[n - 1]
                  e = __torch__.primitives.mm(dt, low[0])
                  es = __torch__.primitives.mm(e, torch.t(low[1]))
                  zs = __torch__.primitives.mm(z, low[1])
                  first = annotate(List[Tensor], [])
                  second = annotate(List[Tensor], [])
                  _11 = __torch__.linear.outer(x, es, spans, first)
                  _12 = __torch__.linear.outer(dt, zs, spans, second)
                  for s in range(torch.len(first)):
                    _13 = torch.append(grads, torch.add(first[s], second[s]))
                  _14 = __torch__.linear.outer(z, e, spans, grads)
                  dx = __torch__.adapted.plus(__torch__.primitives.addmm(dt, es, torch.t(low[0])), acc)
  return dx

# Returns the matrix W' [out, in] of one adapter.
def merge(number: int, w: List[Tensor], low: List[Tensor]) -> Tensor:
  term = torch.floordiv(number, 16)
  kind = number - torch.mul(term, 16)
  none = annotate(List[Tensor], [])
  if torch.eq(term, 0):
    W = __torch__.linear.merge(kind, w, low)
  else:
    if torch.eq(term, 5):
      W = torch.mul(__torch__.linear.merge(kind, w, [low[0], low[1], low[2]]), torch.t(torch.div(low[3], low[4])))
    else:
      W = __torch__.linear.merge(kind, w, none)
      if torch.eq(term, 1):
        W = torch.mul(W, torch.t(low[0]))
      if torch.eq(term, 2):
        W = torch.mul(W, low[0])
      if torch.eq(term, 4):
        W = __torch__.primitives.addmm(W, torch.mul(torch.mul(low[1], torch.t(low[3])), low[2]), low[0])
      if torch.eq(term, 6):
        W = __torch__.primitives.addmm(W, __torch__.primitives.mm(low[1], low[2]), low[0])
      if torch.eq(term, 7):
        W = __torch__.adapted.rotate(W, low, True, none)
        if torch.gt(torch.len(low), 3):
          W = torch.mul(W, torch.t(low[3]))
      if torch.eq(term, 8):
        ws = __torch__.primitives.mm(__torch__.primitives.mm(W, low[0]), torch.t(low[1]))
        W = __torch__.primitives.addmm(W, ws, torch.t(low[0]))
  return W
