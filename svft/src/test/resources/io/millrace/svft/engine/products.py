# The products of portable kernels, one by one, for PortableProductsTest.java.
class Products(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool

  # a [M, K], b [K, N]
  def nn(self: __torch__.Products, a: Tensor, b: Tensor) -> Tensor:
    return __torch__.primitives.mm(a, b)

  # a [M, K], b [N, K]
  def nt(self: __torch__.Products, a: Tensor, b: Tensor) -> Tensor:
    return __torch__.primitives.mm(a, torch.t(b))

  # a [K, M], b [K, N]
  def tn(self: __torch__.Products, a: Tensor, b: Tensor) -> Tensor:
    return __torch__.primitives.mm(torch.t(a), b)

  # a [B, M, K], b [B, K, N]
  def bnn(self: __torch__.Products, a: Tensor, b: Tensor) -> Tensor:
    return __torch__.primitives.bmm(a, b)
