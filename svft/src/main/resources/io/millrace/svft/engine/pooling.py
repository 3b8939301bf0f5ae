# Pools the vectors of each sequence's tokens, x [T, H], to one vector per sequence, [B, H]. Row s
# of weights [B, T] holds the weights of the tokens in sequence s.

def forward(weights: Tensor, x: Tensor) -> Tensor:
  return __torch__.primitives.mm(weights, x)

# Returns the gradient of x [T, H].
def backward(weights: Tensor, dpooled: Tensor) -> Tensor:
  return __torch__.primitives.mm(torch.t(weights), dpooled)
