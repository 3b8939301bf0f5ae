# Layer normalisation over the last dimension (Ba et al., 2016, arXiv 1607.06450), with a weight and
# a bias: [H], frozen, or [D, H], trained, one adapter's after the other's. encoder.py describes spans
# and adapters.

def trained(weight: Tensor) -> bool:
  return torch.eq(torch.dim(weight), 2)

# Returns x [T, H] normalised, and for the backward pass x, its means and its inverse standard
# deviations, and x normalised without weight and bias if these are trained.
def forward(x: Tensor, weight: Tensor, bias: Tensor, eps: float, adapters: Tensor, spans: List[List[int]]) -> Tuple[Tensor, List[Tensor]]:
  if __torch__.norm.trained(weight):
    D = spans[4][0]
    plain, mean, rstd = torch.native_layer_norm(x, [torch.size(weight, 1)], None, None, eps)
    scaled = torch.mul(plain, __torch__.linear.line(weight, 0, 1, D, adapters))
    y = torch.add_(scaled, __torch__.linear.line(bias, 0, 1, D, adapters))
    saved = [x, mean, rstd, plain]
  else:
    y, mean, rstd = torch.native_layer_norm(x, [torch.size(weight, 0)], weight, bias, eps)
    saved = [x, mean, rstd]
  return (y, saved)

# Returns the gradient of x. Appends those of weight and bias to grads if they are trained, each for
# every segment.
def backward(dy: Tensor, saved: List[Tensor], weight: Tensor, bias: Tensor, adapters: Tensor, spans: List[List[int]], grads: List[Tensor]) -> Tensor:
  if __torch__.norm.trained(weight):
    _0 = __torch__.linear.sums(torch.mul(dy, saved[3]), spans, grads)
    _1 = __torch__.linear.sums(dy, spans, grads)
    dplain = torch.mul(dy, __torch__.linear.line(weight, 0, 1, spans[4][0], adapters))
    dx, _2, _3 = torch.native_layer_norm_backward(dplain, saved[0], [torch.size(weight, 1)], saved[1], saved[2], None, None, [True, False, False])
  else:
    dx, _4, _5 = torch.native_layer_norm_backward(dy, saved[0], [torch.size(weight, 0)], saved[1], saved[2], weight, bias, [True, False, False])
  return dx
