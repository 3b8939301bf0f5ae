# Pools the vectors of each sequence's tokens, x [T, H], to one vector per sequence, [B, H].
#
# The layout "segments" has, with the places and classes of attention.py, but one head,
#
#   how[0] [P]  for each place the packed row that fills it
#   how[1] [P]  the weight of the token at each place, zero at padding
#   how[2] [B]  for each sequence its place among the classes' sequences
#   how[3] [T]  for each row its sequence
#   how[4] [T]  for each row its token's weight, zero where it is no token
#
# so that no row of another sequence reaches a sequence's vector. The layout "slices" has one matrix,
# how[0] [B, T]: row s holds the weights of the tokens in sequence s.

def forward(how: List[Tensor], x: Tensor, classes: List[int]) -> Tensor:
  if torch.eq(torch.len(how), 1):
    pooled = __torch__.primitives.mm(how[0], x)
  else:
    H = torch.size(x, 1)
    sums = annotate(List[Tensor], [])
    at = 0
    for c in range(torch.floordiv(torch.len(classes), 2)):
      n = classes[torch.mul(c, 2)]
      L = classes[torch.mul(c, 2) + 1]
      to = at + torch.mul(n, L)
      tokens = torch.index_select(x, 0, torch.slice(how[0], 0, at, to))
      tokens = torch.mul_(tokens, torch.unsqueeze(torch.slice(how[1], 0, at, to), 1))
      _0 = torch.append(sums, torch.sum(torch.view(tokens, [n, L, H]), [1]))
      at = to
    pooled = torch.index_select(torch.cat(sums), 0, how[2])
  return pooled

# Returns the gradient of x [T, H].
def backward(how: List[Tensor], dpooled: Tensor) -> Tensor:
  if torch.eq(torch.len(how), 1):
    dx = __torch__.primitives.mm(torch.t(how[0]), dpooled)
  else:
    dx = torch.mul_(torch.index_select(dpooled, 0, how[3]), torch.unsqueeze(how[4], 1))
  return dx
