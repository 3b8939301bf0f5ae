# The feed-forward block: two linear weights, i and i + 1 of the encoder's, with GELU (exact, by
# the error function) between them.

# y [T, H], and what the backward pass needs: of either weight, and the activation's input.
def forward(x: Tensor, kinds: List[int], linears: List[List[Tensor]], lows: List[List[Tensor]], i: int) -> Tuple[Tensor, List[List[Tensor]]]:
  pre, si = __torch__.linear.forward(x, kinds[i], linears[i], lows[i])
  y, so = __torch__.linear.forward(torch.gelu(pre), kinds[i + 1], linears[i + 1], lows[i + 1])
  return (y, [si, so, [pre]])

# The gradient of x, plus dy, which reaches x along the residual connection. Adds the weights'
# gradients to grads, the last weight's first.
def backward(dy: Tensor, kinds: List[int], linears: List[List[Tensor]], lows: List[List[Tensor]], i: int, saved: List[List[Tensor]], grads: List[List[Tensor]], lowest: int) -> Tensor:
  gi = annotate(List[Tensor], [])
  go = annotate(List[Tensor], [])
  dx = __torch__.linear.backward(dy, kinds[i + 1], linears[i + 1], lows[i + 1], saved[1], go, torch.gt(i + 1, lowest), annotate(List[Tensor], []))
  if torch.gt(i + 1, lowest):
    dpre = torch.gelu_backward(dx, saved[2][0])
    dx = __torch__.linear.backward(dpre, kinds[i], linears[i], lows[i], saved[0], gi, torch.gt(i, lowest), [dy])
  _0 = torch.append(grads, go)
  _1 = torch.append(grads, gi)
  return dx
