# The encoder's forward pass and training step, in the form in which a TorchScript archive holds
# source text: typed, and without Python's imports. EncoderScript.java packs and calls it.
#
# A slice of a batch lies packed: its real tokens, one row each, one sequence after the other.
# T tokens, B sequences, h heads of width d, L places per sequence in attention's padded layout.
#
#   batch      ids [T], positions [T], pad [B*h*L], pack [T*h], mask [B*h, 1, L], pooling [B, T]
#   embeddings words [vocabulary, H], positions [rows, H], norm weight [H], norm bias [H]
#   norms      per layer: attention norm weight and bias, output norm weight and bias
#   linears    per linear weight, six a layer, tensors that its kind names:
#
#   kind 0     dense, frozen      [W, b]                            y = x W' + b
#   kind 1     dense, trained     [W, b]                            gradient of W
#   kind 2     factored, diagonal [Vt, U, b, s [n]]                 y = ((x V) * s) U' + b
#   kind 3     factored, bands    [Vt, U, b, bands [2d+1, n]]       bands[k, i] = S[i, i + k - d]
#   kind 4     factored, places   [Vt, U, b, s [n], index, m]       S = diag(s), S.flat[index] += m
#   kind 5     factored, scored   [Vt, U, b, s [n]]                 gradient of all of S
#   kind 6     factored, frozen   [Vt, U, b, s [n]]                 as kind 2, without a gradient
#
#   lora       per linear weight: nothing, or [A [r, in], B [out, r], c [1]]: y += c (x A') B'
#
# x' is the transpose of x. S takes z = x V to z S', so M[i, j] leads from direction j to i.
class Encoder(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool

  def places(self: __torch__.Encoder, s: Tensor, index: Tensor, m: Tensor) -> Tensor:
    n = torch.size(s, 0)
    S = torch.diag(s)
    _0 = torch.index_add_(torch.view(S, [-1]), 0, index, m)
    return S

  # y [T, out], and what the backward pass needs of this weight.
  def linear(self: __torch__.Encoder, x: Tensor, kind: int, w: List[Tensor], lora: List[Tensor]) -> Tuple[Tensor, List[Tensor]]:
    saved = annotate(List[Tensor], [])
    if torch.le(kind, 1):
      y = torch.addmm(w[1], x, torch.t(w[0]))
      if torch.eq(kind, 1):
        _0 = torch.append(saved, x)
    else:
      z = torch.mm(x, torch.t(w[0]))
      if torch.eq(kind, 3):
        bands = w[3]
        count = torch.size(bands, 0)
        n = torch.size(bands, 1)
        d = torch.floordiv(count, 2)
        z = torch.constant_pad_nd(z, [d, d])
        zs = torch.mul(torch.slice(z, 1, 0, n), torch.select(bands, 0, 0))
        for k in range(1, count):
          zs = torch.addcmul_(zs, torch.slice(z, 1, k, k + n), torch.select(bands, 0, k))
      else:
        if torch.eq(kind, 4):
          zs = torch.mm(z, torch.t((self).places(w[3], w[4], w[5])))
        else:
          zs = torch.mul(z, w[3])
      y = torch.addmm(w[2], zs, torch.t(w[1]))
      _1 = torch.append(saved, z)
    if torch.gt(torch.len(lora), 0):
      h = torch.mul(torch.mm(x, torch.t(lora[0])), lora[2])
      y = torch.addmm(y, h, torch.t(lora[1]))
      _2 = torch.append(saved, x)
      _3 = torch.append(saved, h)
    return (y, saved)

  def product(self: __torch__.Encoder, a: Tensor, b: Tensor, plus: List[Tensor]) -> Tensor:
    if torch.gt(torch.len(plus), 0):
      y = torch.addmm(plus[0], a, b)
    else:
      y = torch.mm(a, b)
    return y

  # Adds this weight's gradients, flat, to grads. Where wanted, returns the gradient of x, plus acc.
  def linear_backward(self: __torch__.Encoder, dy: Tensor, kind: int, w: List[Tensor], lora: List[Tensor], saved: List[Tensor], grads: List[Tensor], wanted: bool, acc: List[Tensor]) -> Tensor:
    dx = dy
    if torch.le(kind, 1):
      if torch.eq(kind, 1):
        _0 = torch.append(grads, torch.reshape(torch.mm(torch.t(dy), saved[0]), [-1]))
      if wanted:
        dx = (self).product(dy, w[0], acc)
    else:
      z = saved[0]
      dzs = torch.mm(dy, w[1])
      if torch.eq(kind, 3):
        bands = w[3]
        count = torch.size(bands, 0)
        n = torch.size(bands, 1)
        d = torch.floordiv(count, 2)
        dzp = torch.zeros_like(z)
        for k in range(count):
          _1 = torch.append(grads, torch.sum(torch.mul(dzs, torch.slice(z, 1, k, k + n)), [0]))
          _2 = torch.addcmul_(torch.slice(dzp, 1, k, k + n), dzs, torch.select(bands, 0, k))
        dz = torch.slice(dzp, 1, d, d + n)
      else:
        if torch.eq(kind, 4):
          dS = torch.reshape(torch.mm(torch.t(dzs), z), [-1])
          _3 = torch.append(grads, torch.index_select(dS, 0, w[4]))
          dz = torch.mm(dzs, (self).places(w[3], w[4], w[5]))
        else:
          if torch.eq(kind, 5):
            _4 = torch.append(grads, torch.reshape(torch.mm(torch.t(dzs), z), [-1]))
          if torch.eq(kind, 2):
            _5 = torch.append(grads, torch.sum(torch.mul(dzs, z), [0]))
          dz = torch.mul_(dzs, w[3])
      if wanted:
        dx = (self).product(dz, w[0], acc)
    if torch.gt(torch.len(lora), 0):
      i = torch.len(saved) - 2
      dh = torch.mul(torch.mm(dy, lora[1]), lora[2])
      _6 = torch.append(grads, torch.reshape(torch.mm(torch.t(dh), saved[i]), [-1]))
      _7 = torch.append(grads, torch.reshape(torch.mm(torch.t(dy), saved[i + 1]), [-1]))
      if wanted:
        dx = torch.addmm(dx, dh, lora[0])
    return dx

  # The last hidden states [T, H]; what the backward pass needs is kept where keep is set.
  def forward(self: __torch__.Encoder, batch: List[Tensor], heads: int, eps: float, embeddings: List[Tensor], norms: List[List[Tensor]], kinds: List[int], linears: List[List[Tensor]], loras: List[List[Tensor]], keep: bool, kept: List[List[Tensor]]) -> Tensor:
    pad = batch[2]
    pack = batch[3]
    mask = batch[4]
    T = torch.size(batch[0], 0)
    Bh = torch.size(mask, 0)
    L = torch.size(mask, 2)
    H = torch.size(embeddings[2], 0)
    d = torch.floordiv(H, heads)
    scale = torch.div(1., torch.sqrt(d))
    x = torch.embedding(embeddings[0], batch[0])
    x = torch.add_(x, torch.embedding(embeddings[1], batch[1]))
    x, _0, _1 = torch.native_layer_norm(x, [H], embeddings[2], embeddings[3], eps)
    for layer in range(torch.len(norms)):
      norm = norms[layer]
      i = torch.mul(layer, 6)
      q, sq = (self).linear(x, kinds[i], linears[i], loras[i])
      k, sk = (self).linear(x, kinds[i + 1], linears[i + 1], loras[i + 1])
      v, sv = (self).linear(x, kinds[i + 2], linears[i + 2], loras[i + 2])
      q = torch.view(torch.index_select(torch.view(q, [-1, d]), 0, pad), [Bh, L, d])
      k = torch.view(torch.index_select(torch.view(k, [-1, d]), 0, pad), [Bh, L, d])
      v = torch.view(torch.index_select(torch.view(v, [-1, d]), 0, pad), [Bh, L, d])
      p = torch.softmax(torch.baddbmm(mask, q, torch.transpose(k, 1, 2), beta=1, alpha=scale), -1)
      o = torch.view(torch.bmm(p, v), [-1, d])
      context = torch.view(torch.index_select(o, 0, pack), [T, H])
      y, so = (self).linear(context, kinds[i + 3], linears[i + 3], loras[i + 3])
      r1 = torch.add_(y, x)
      x1, mean1, rstd1 = torch.native_layer_norm(r1, [H], norm[0], norm[1], eps)
      pre, si = (self).linear(x1, kinds[i + 4], linears[i + 4], loras[i + 4])
      inner = torch.gelu(pre)
      y, su = (self).linear(inner, kinds[i + 5], linears[i + 5], loras[i + 5])
      r2 = torch.add_(y, x1)
      x, mean2, rstd2 = torch.native_layer_norm(r2, [H], norm[2], norm[3], eps)
      if keep:
        _2 = torch.append(kept, sq)
        _3 = torch.append(kept, sk)
        _4 = torch.append(kept, sv)
        _5 = torch.append(kept, so)
        _6 = torch.append(kept, si)
        _7 = torch.append(kept, su)
        _8 = torch.append(kept, [q, k, v, p, r1, mean1, rstd1, pre, r2, mean2, rstd2])
    return x

  # One vector per sequence [B, H].
  def embed(self: __torch__.Encoder, batch: List[Tensor], heads: int, eps: float, embeddings: List[Tensor], norms: List[List[Tensor]], kinds: List[int], linears: List[List[Tensor]], loras: List[List[Tensor]]) -> Tensor:
    x = (self).forward(batch, heads, eps, embeddings, norms, kinds, linears, loras, False, annotate(List[List[Tensor]], []))
    return torch.mm(batch[5], x)

  # Scores a slice and takes its gradients.
  #
  #   head   weight [labels, H], bias [labels]
  #   target [B, labels]: each example's share of the loss at its label, zero elsewhere
  #   lowest index of the lowest linear weight that has gradients: below it nothing is computed
  #
  # Returns logits [B, labels], loss [], gradient of the head's weight and bias, and the gradients
  # of the linear weights in their order, each flat.
  def step(self: __torch__.Encoder, batch: List[Tensor], heads: int, eps: float, embeddings: List[Tensor], norms: List[List[Tensor]], kinds: List[int], linears: List[List[Tensor]], loras: List[List[Tensor]], head: List[Tensor], target: Tensor, lowest: int) -> List[Tensor]:
    kept = annotate(List[List[Tensor]], [])
    layers = torch.len(norms)
    trains = torch.lt(lowest, torch.mul(layers, 6))
    x = (self).forward(batch, heads, eps, embeddings, norms, kinds, linears, loras, trains, kept)
    pooled = torch.mm(batch[5], x)
    logits = torch.addmm(head[1], pooled, torch.t(head[0]))
    logp = torch.log_softmax(logits, -1)
    loss = torch.neg(torch.sum(torch.mul(logp, target)))
    dlogits = torch.sub(torch.mul(torch.exp(logp), torch.sum(target, [1], True)), target)
    out = [logits, loss, torch.mm(torch.t(dlogits), pooled), torch.sum(dlogits, [0])]
    if trains:
      pad = batch[2]
      pack = batch[3]
      T = torch.size(x, 0)
      H = torch.size(x, 1)
      d = torch.floordiv(H, heads)
      scale = torch.div(1., torch.sqrt(d))
      dx = torch.mm(torch.t(batch[5]), torch.mm(dlogits, head[0]))
      backwards = annotate(List[List[Tensor]], [])
      for j in range(layers):
        layer = layers - 1 - j
        i = torch.mul(layer, 6)
        if torch.ge(i + 5, lowest):
          norm = norms[layer]
          at = torch.mul(layer, 7)
          s = kept[at + 6]
          gu = annotate(List[Tensor], [])
          gi = annotate(List[Tensor], [])
          go = annotate(List[Tensor], [])
          gv = annotate(List[Tensor], [])
          gk = annotate(List[Tensor], [])
          gq = annotate(List[Tensor], [])
          dr2, _0, _1 = torch.native_layer_norm_backward(dx, s[8], [H], s[9], s[10], norm[2], norm[3], [True, False, False])
          dinner = (self).linear_backward(dr2, kinds[i + 5], linears[i + 5], loras[i + 5], kept[at + 5], gu, torch.gt(i + 5, lowest), annotate(List[Tensor], []))
          if torch.gt(i + 5, lowest):
            dpre = torch.gelu_backward(dinner, s[7])
            dx1 = (self).linear_backward(dpre, kinds[i + 4], linears[i + 4], loras[i + 4], kept[at + 4], gi, torch.gt(i + 4, lowest), [dr2])
            if torch.gt(i + 4, lowest):
              dr1, _2, _3 = torch.native_layer_norm_backward(dx1, s[4], [H], s[5], s[6], norm[0], norm[1], [True, False, False])
              dcontext = (self).linear_backward(dr1, kinds[i + 3], linears[i + 3], loras[i + 3], kept[at + 3], go, torch.gt(i + 3, lowest), annotate(List[Tensor], []))
              if torch.gt(i + 3, lowest):
                q = s[0]
                k = s[1]
                v = s[2]
                p = s[3]
                do = torch.new_zeros(dcontext, [torch.size(pad, 0), d])
                _4 = torch.index_copy_(do, 0, pack, torch.view(dcontext, [-1, d]))
                do = torch.view(do, torch.size(q))
                dv = torch.bmm(torch.transpose(p, 1, 2), do)
                dp = torch.bmm(do, torch.transpose(v, 1, 2))
                ds = torch.mul_(torch._softmax_backward_data(dp, p, -1, 6), scale)
                dk = torch.bmm(torch.transpose(ds, 1, 2), q)
                dq = torch.bmm(ds, k)
                dq = torch.view(torch.index_select(torch.view(dq, [-1, d]), 0, pack), [T, H])
                dk = torch.view(torch.index_select(torch.view(dk, [-1, d]), 0, pack), [T, H])
                dv = torch.view(torch.index_select(torch.view(dv, [-1, d]), 0, pack), [T, H])
                below = torch.gt(i, lowest)
                dx = (self).linear_backward(dv, kinds[i + 2], linears[i + 2], loras[i + 2], kept[at + 2], gv, below, [dr1])
                dx = (self).linear_backward(dk, kinds[i + 1], linears[i + 1], loras[i + 1], kept[at + 1], gk, below, [dx])
                dx = (self).linear_backward(dq, kinds[i], linears[i], loras[i], kept[at], gq, below, [dx])
          _5 = torch.append(backwards, gu)
          _6 = torch.append(backwards, gi)
          _7 = torch.append(backwards, go)
          _8 = torch.append(backwards, gv)
          _9 = torch.append(backwards, gk)
          _10 = torch.append(backwards, gq)
      flat = annotate(List[Tensor], [])
      n = torch.len(backwards)
      for j in range(n):
        grads = backwards[n - 1 - j]
        for g in range(torch.len(grads)):
          _11 = torch.append(flat, grads[g])
      _12 = torch.append(out, torch.cat(flat))
    return out

  # The weight W' [out, in] that a linear weight with its adapter amounts to.
  def merge(self: __torch__.Encoder, kind: int, w: List[Tensor], lora: List[Tensor]) -> Tensor:
    if torch.le(kind, 1):
      W = w[0]
    else:
      if torch.eq(kind, 3):
        bands = w[3]
        d = torch.floordiv(torch.size(bands, 0), 2)
        n = torch.size(bands, 1)
        zp = torch.constant_pad_nd(torch.new_zeros(bands, [n, n]), [d, d])
        for k in range(torch.size(bands, 0)):
          _0 = torch.add_(torch.diagonal(torch.slice(zp, 1, k, k + n)), torch.select(bands, 0, k))
        W = torch.mm(torch.mm(w[1], torch.slice(zp, 1, d, d + n)), w[0])
      else:
        if torch.eq(kind, 4):
          W = torch.mm(torch.mm(w[1], (self).places(w[3], w[4], w[5])), w[0])
        else:
          W = torch.mm(torch.mul(w[1], w[3]), w[0])
    if torch.gt(torch.len(lora), 0):
      W = torch.addmm(W, torch.mul(lora[1], lora[2]), lora[0])
    return W
