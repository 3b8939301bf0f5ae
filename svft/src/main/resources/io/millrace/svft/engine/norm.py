# Layer normalisation over the last dimension, with a weight and a bias [H].

# x [T, H] normalised, and x, its means and its inverse deviations for the backward pass.
def forward(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tuple[Tensor, List[Tensor]]:
  y, mean, rstd = torch.native_layer_norm(x, [torch.size(weight, 0)], weight, bias, eps)
  return (y, [x, mean, rstd])

# The gradient of x.
def backward(dy: Tensor, saved: List[Tensor], weight: Tensor, bias: Tensor) -> Tensor:
  dx, _0, _1 = torch.native_layer_norm_backward(dy, saved[0], [torch.size(weight, 0)], saved[1], saved[2], weight, bias, [True, False, False])
  return dx
