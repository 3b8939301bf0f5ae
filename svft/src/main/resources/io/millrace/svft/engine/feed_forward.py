# The feed-forward block: the encoder's linear weights i and i + 1, with GELU between them (exact,
# with the error function; Hendrycks and Gimpel, 2016, arXiv 1606.08415).

# Returns y [T, H], and for the backward pass the tensors of each weight and the activation's input.
def forward(x: Tensor, kinds: List[int], linears: List[List[Tensor]], lows: List[List[Tensor]], adapters: Tensor, spans: List[List[int]], i: int) -> Tuple[Tensor, List[List[Tensor]]]:
  pre, si = __torch__.adapted.forward(x, kinds[i], linears[i], lows[i], adapters, spans)
  y, so = __torch__.adapted.forward(torch.gelu(pre), kinds[i + 1], linears[i + 1], lows[i + 1], adapters, spans)
  return (y, [si, so, [pre]])

# Returns the gradient of x plus dy, which reaches x through the residual connection. Appends the
# gradients of the weights to grads, those of weight i + 1 first.
def backward(dy: Tensor, kinds: List[int], linears: List[List[Tensor]], lows: List[List[Tensor]], adapters: Tensor, spans: List[List[int]], i: int, saved: List[List[Tensor]], grads: List[List[Tensor]], lowest: int) -> Tensor:
  gi = annotate(List[Tensor], [])
  go = annotate(List[Tensor], [])
  dx = __torch__.adapted.backward(dy, kinds[i + 1], linears[i + 1], lows[i + 1], adapters, spans, saved[1], go, torch.gt(i + 1, lowest), annotate(List[Tensor], []))
  if torch.gt(i + 1, lowest):
    dpre = torch.gelu_backward(dx, saved[2][0])
    dx = __torch__.adapted.backward(dpre, kinds[i], linears[i], lows[i], adapters, spans, saved[0], gi, torch.gt(i, lowest), [dy])
  _0 = torch.append(grads, go)
  _1 = torch.append(grads, gi)
  return dx
