# What the pieces of the encoder compute with, as PyTorch's libraries do it fastest: the bits depend
# on the processor. portable/primitives.py has the same functions.

# Returns a b.
def mm(a: Tensor, b: Tensor) -> Tensor:
  return torch.mm(a, b)

# Returns a b + c; c has the product's shape, or is one row of it.
def addmm(c: Tensor, a: Tensor, b: Tensor) -> Tensor:
  return torch.addmm(c, a, b)

# Returns the products a[i] b[i].
def bmm(a: Tensor, b: Tensor) -> Tensor:
  return torch.bmm(a, b)

# Returns attention's scores: scale q kt + mask.
def scores(mask: Tensor, q: Tensor, kt: Tensor, scale: float) -> Tensor:
  return torch.baddbmm(mask, q, kt, beta=1, alpha=scale)

# Returns x with as many columns as the products of attention take.
def widen(x: Tensor) -> Tensor:
  return x

# Returns the probabilities that belong to logits, whose log-softmax is logp.
def probabilities(logits: Tensor, logp: Tensor) -> Tensor:
  return torch.exp(logp)
