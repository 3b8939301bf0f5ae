# One vector per sequence, from its tokens' vectors: weights [B, T] say how much of each.

def forward(weights: Tensor, x: Tensor) -> Tensor:
  return torch.mm(weights, x)

def backward(weights: Tensor, dpooled: Tensor) -> Tensor:
  return torch.mm(torch.t(weights), dpooled)
