# What the pieces of the encoder compute with, with the same bits on every x86-64 processor that has
# AVX2. fast/primitives.py has the same functions.
#
# A matrix product of MKL is the chain of fused multiply-adds over k = 0, 1, 2, ... in single
# precision, in its code for AVX-512, for AVX2 and for other makers' processors alike, if
#
#   the product has at most 96 terms                       (more are cut into partial sums),
#   its rows are a multiple of 12, and 24 or more          (other rows have code of their own),
#   its columns are a multiple of 48, or one plus 16       (other columns have, too).
#
# So a product is cut into pieces of 96 terms that are added in order, and its factors are padded
# with zeros. Zeros are no additional terms of the values that are kept. KernelProbe.java compares
# the bits before a process trains with them.

# Returns the number of zeros to append to n rows.
def rows(n: int) -> int:
  extra = torch.remainder(12 - torch.remainder(n, 12), 12)
  if torch.lt(n + extra, 24):
    extra = 24 - n
  return extra

# Returns the number of zeros to append to n columns.
def columns(n: int) -> int:
  over = torch.remainder(n, 48)
  extra = 0
  if torch.gt(over, 16):
    extra = 48 - over
  else:
    if torch.gt(over, 0):
      extra = 16 - over
  return extra

# Returns the number of zeros to append to k terms: one where the last piece would have one term,
# for which there is other code.
def terms(k: int) -> int:
  extra = 0
  if torch.eq(torch.remainder(k, 96), 1):
    extra = 1
  return extra

# Returns a b.
def mm(a: Tensor, b: Tensor) -> Tensor:
  M = torch.size(a, 0)
  N = torch.size(b, 1)
  m = __torch__.primitives.rows(M)
  n = __torch__.primitives.columns(N)
  k = __torch__.primitives.terms(torch.size(a, 1))
  if torch.gt(m + k, 0):
    a = torch.constant_pad_nd(a, [0, k, 0, m])
  if torch.gt(n + k, 0):
    b = torch.constant_pad_nd(b, [0, n, 0, k])
  K = torch.size(a, 1)
  y = torch.mm(torch.slice(a, 1, 0, 96), torch.slice(b, 0, 0, 96))
  for i in range(1, torch.floordiv(K + 95, 96)):
    at = torch.mul(i, 96)
    y = torch.addmm_(y, torch.slice(a, 1, at, at + 96), torch.slice(b, 0, at, at + 96))
  if torch.gt(n, 0):
    y = torch.contiguous(torch.slice(y, 1, 0, N))
  if torch.gt(m, 0):
    y = torch.slice(y, 0, 0, M)
  return y

# Returns a b + c; c has the product's shape, or is one row of it.
def addmm(c: Tensor, a: Tensor, b: Tensor) -> Tensor:
  return torch.add_(__torch__.primitives.mm(a, b), c)

# Returns x t(W), plus b if there is one.
def linear(x: Tensor, W: Tensor, b: Optional[Tensor]) -> Tensor:
  y = __torch__.primitives.mm(x, torch.t(W))
  if torch.__isnot__(b, None):
    y = torch.add_(y, unchecked_cast(Tensor, b))
  return y

# Returns dy W.
def back(dy: Tensor, W: Tensor) -> Tensor:
  return __torch__.primitives.mm(dy, W)

# Returns W: there is no layout with the same bits everywhere.
def packed(W: Tensor) -> Tensor:
  return W

# Returns the products a[i] b[i]. Rows and columns fit: see widen, and Kernels.java for the places.
def bmm(a: Tensor, b: Tensor) -> Tensor:
  K = torch.size(a, 2)
  y = torch.bmm(torch.slice(a, 2, 0, 96), torch.slice(b, 1, 0, 96))
  for i in range(1, torch.floordiv(K + 95, 96)):
    at = torch.mul(i, 96)
    y = torch.baddbmm_(y, torch.slice(a, 2, at, at + 96), torch.slice(b, 1, at, at + 96))
  return y

# Returns the products a[i] b[i], whatever their shapes.
def blocks(a: Tensor, b: Tensor) -> Tensor:
  M = torch.size(a, 1)
  N = torch.size(b, 2)
  m = __torch__.primitives.rows(M)
  n = __torch__.primitives.columns(N)
  k = __torch__.primitives.terms(torch.size(a, 2))
  y = __torch__.primitives.bmm(torch.constant_pad_nd(a, [0, k, 0, m]), torch.constant_pad_nd(b, [0, n, 0, k]))
  return torch.contiguous(torch.slice(torch.slice(y, 1, 0, M), 2, 0, N))

# Returns attention's scores: scale q kt + mask.
def scores(mask: Tensor, q: Tensor, kt: Tensor, scale: float) -> Tensor:
  return torch.add_(torch.mul_(__torch__.primitives.bmm(q, kt), scale), mask)

# Returns x with as many columns as the products of attention take.
def widen(x: Tensor) -> Tensor:
  n = __torch__.primitives.columns(torch.size(x, 2))
  if torch.gt(n, 0):
    x = torch.constant_pad_nd(x, [0, n])
  return x

# Returns the probabilities that belong to logits, whose log-softmax is logp. The exponential of
# logp would be MKL's, which depends on the processor.
def probabilities(logits: Tensor, logp: Tensor) -> Tensor:
  return torch.softmax(logits, -1)
