# Layer normalisation over the last dimension (Ba et al., 2016, arXiv 1607.06450), with a weight and
# a bias [H].

# Returns x [T, H] normalised, and x, its means and its inverse standard deviations for the backward
# pass.
def forward(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tuple[Tensor, List[Tensor]]:
  y, mean, rstd = torch.native_layer_norm(x, [torch.size(weight, 0)], weight, bias, eps)
  return (y, [x, mean, rstd])

# Returns the gradient of x.
def backward(dy: Tensor, saved: List[Tensor], weight: Tensor, bias: Tensor) -> Tensor:
  dx, _0, _1 = torch.native_layer_norm_backward(dy, saved[0], [torch.size(weight, 0)], saved[1], saved[2], weight, bias, [True, False, False])
  return dx
