# Runs PyTorch's kernels on fixed inputs for KernelProbe.java. TorchScript source, like encoder.py.
class Kernels(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool

  # Returns the instruction set that PyTorch chose for its own kernels: NO AVX, AVX2, AVX512, ...
  def capability(self: __torch__.Kernels) -> str:
    return torch._get_cpu_capability()

  # x, dy [T, H]; w [H, H]; b [H]. Both methods return the results in the order of KernelProbe's
  # groups: this one those of PyTorch's operators.
  def fast(self: __torch__.Kernels, x: Tensor, dy: Tensor, w: Tensor, b: Tensor) -> List[Tensor]:
    T = torch.size(x, 0)
    H = torch.size(x, 1)
    out = annotate(List[Tensor], [])
    # Products: with a transposed factor, with a plain factor, over rows, and a narrow one.
    _0 = torch.append(out, torch.addmm(b, x, torch.t(w)))
    _1 = torch.append(out, torch.mm(x, w))
    _2 = torch.append(out, torch.mm(torch.t(dy), x))
    _3 = torch.append(out, torch.mm(torch.slice(x, 0, 0, 8), torch.t(torch.slice(w, 0, 0, 3))))
    # Attention's products: eight sequences of T / 8 places.
    q = torch.view(x, [8, -1, H])
    k = torch.view(dy, [8, -1, H])
    _4 = torch.append(out, torch.bmm(q, torch.transpose(k, 1, 2)))
    s = torch.softmax(x, -1)
    _5 = torch.append(out, s)
    _6 = torch.append(out, torch._softmax_backward_data(dy, s, -1, 6))
    _7 = torch.append(out, torch.log_softmax(torch.slice(x, 1, 0, 3), -1))
    y, mean, rstd = torch.native_layer_norm(x, [H], b, b, 9.9999999999999998e-13)
    _8 = torch.append(out, y)
    dx, _9, _10 = torch.native_layer_norm_backward(dy, x, [H], mean, rstd, b, b, [True, False, False])
    _11 = torch.append(out, dx)
    _12 = torch.append(out, torch.gelu(x))
    _13 = torch.append(out, torch.gelu_backward(dy, x))
    _14 = torch.append(out, torch.exp(x))
    _15 = torch.append(out, torch.sum(x, [0]))
    _16 = torch.append(out, torch.sum(x))
    _17 = torch.append(out, torch.mul(x, dy))
    return out

  # As fast, but with packed matrices in the first two products.
  def packed(self: __torch__.Kernels, x: Tensor, dy: Tensor, w: Tensor, b: Tensor) -> List[Tensor]:
    out = (self).fast(x, dy, w, b)
    products = [__torch__.primitives.linear(x, __torch__.primitives.packed(w), b), __torch__.primitives.back(x, __torch__.primitives.packed(torch.contiguous(torch.t(w))))]
    return torch.add(products, torch.slice(out, 2))

  # As fast, but with the operators of portable kernels, on shapes that a step has with them.
  def portable(self: __torch__.Kernels, x: Tensor, dy: Tensor, w: Tensor, b: Tensor) -> List[Tensor]:
    H = torch.size(x, 1)
    out = annotate(List[Tensor], [])
    # Products: with a transposed factor, with a plain factor, over rows, and narrow ones.
    _0 = torch.append(out, __torch__.primitives.addmm(b, x, torch.t(w)))
    _1 = torch.append(out, __torch__.primitives.mm(x, w))
    _2 = torch.append(out, __torch__.primitives.mm(torch.t(dy), x))
    _3 = torch.append(out, __torch__.primitives.mm(torch.slice(x, 0, 0, 8), torch.t(torch.slice(w, 0, 0, 3))))
    # Attention's products: eight sequences of 144 places, 32 wide.
    q = __torch__.primitives.widen(torch.view(torch.slice(w, 0, 0, 96), [8, 144, 32]))
    k = __torch__.primitives.widen(torch.view(torch.slice(x, 0, 0, 96), [8, 144, 32]))
    s = __torch__.primitives.scores(torch.slice(torch.view(b, [1, 1, H]), 2, 0, 144), q, torch.transpose(k, 1, 2), 0.17677669529663687)
    p = torch.softmax(s, -1)
    _4 = torch.append(out, torch.cat([torch.view(s, [-1]), torch.view(__torch__.primitives.bmm(p, q), [-1]), torch.view(__torch__.primitives.bmm(torch.transpose(p, 1, 2), k), [-1])]))
    _5 = torch.append(out, p)
    _6 = torch.append(out, torch._softmax_backward_data(s, p, -1, 6))
    _7 = torch.append(out, torch.log_softmax(torch.slice(x, 1, 0, 3), -1))
    y, mean, rstd = torch.native_layer_norm(x, [H], b, b, 9.9999999999999998e-13)
    _8 = torch.append(out, y)
    dx, _9, _10 = torch.native_layer_norm_backward(dy, x, [H], mean, rstd, b, b, [True, False, False])
    _11 = torch.append(out, dx)
    _12 = torch.append(out, torch.gelu(x))
    _13 = torch.append(out, torch.gelu_backward(dy, x))
    _14 = torch.append(out, __torch__.primitives.probabilities(x, x))
    _15 = torch.append(out, torch.sum(x, [0]))
    _16 = torch.append(out, torch.sum(x))
    _17 = torch.append(out, torch.addcmul(torch.mul(x, dy), x, b))
    return out
