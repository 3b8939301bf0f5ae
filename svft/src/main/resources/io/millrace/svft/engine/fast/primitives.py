# What the pieces of the encoder compute with, as PyTorch's libraries do it fastest: the bits depend
# on the processor. portable/primitives.py has the same functions.

# Returns a b.
def mm(a: Tensor, b: Tensor) -> Tensor:
  return torch.mm(a, b)

# Returns a b + c; c has the product's shape, or is one row of it.
def addmm(c: Tensor, a: Tensor, b: Tensor) -> Tensor:
  return torch.addmm(c, a, b)

# Returns x t(W), plus b if there is one. W may be packed: see packed.
def linear(x: Tensor, W: Tensor, b: Optional[Tensor]) -> Tensor:
  if W.is_mkldnn:
    y = ops.mkldnn._linear_pointwise(x, W, b, "none", annotate(List[Optional[number]], []), None)
  else:
    if torch.__is__(b, None):
      y = torch.mm(x, torch.t(W))
    else:
      y = torch.addmm(unchecked_cast(Tensor, b), x, torch.t(W))
  return y

# Returns dy W. In place of W [out, in] its transpose may be there, packed.
def back(dy: Tensor, W: Tensor) -> Tensor:
  if W.is_mkldnn:
    dx = ops.mkldnn._linear_pointwise(dy, W, None, "none", annotate(List[Optional[number]], []), None)
  else:
    dx = torch.mm(dy, W)
  return dx

# Returns W [out, in] in the layout in which oneDNN reads it fastest. Packed, it is for linear alone.
# A product with it has another order of sums, and on processors for which MKL has no code of its own
# it takes half the time.
def packed(W: Tensor) -> Tensor:
  return ops.mkldnn._reorder_linear_weight(W, None)

# Returns the products a[i] b[i].
def bmm(a: Tensor, b: Tensor) -> Tensor:
  return torch.bmm(a, b)

# Returns the products a[i] b[i], whatever their shapes.
def blocks(a: Tensor, b: Tensor) -> Tensor:
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
