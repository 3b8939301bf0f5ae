# The encoder of the BERT family, forward and backward. This is the source text of a TorchScript
# archive: typed, and without Python's imports. TorchScript.java packs it, Encoder.java calls it.
# The encoder is composed of the pieces adapted, linear, attention, feed_forward, norm, pooling,
# sampling and classification in this directory.
#
# A slice is packed: it holds the real tokens only, one row each, one sequence after the other. It
# consists of segments, each the rows of one adapter whose gradients are summed together. T tokens, B
# sequences, h heads, D adapters; P places in attention's padded layout: see attention.py.
#
#   batch      ids [T], positions [T], pad [P*h], pack [T*h], mask [P*h], adapters [T]: the index of
#              each row's adapter
#   how        how to pool: see pooling.py
#   spans      classes: see attention.py
#              rows: the first row of each segment, and the row after the last segment
#              owners: the index of each segment's adapter
#              sequences: the first sequence of each segment, and the number of all sequences
#              adapters: one number, D
#   embeddings words [vocabulary, H], positions [rows, H], norm weight [H], norm bias [H]
#   norms      per layer: attention norm weight and bias, output norm weight and bias; those of all
#              norms, also of the embeddings', are [D, H] if they are trained: see norm.py
#   linears    for each linear weight, six per layer (query, key, value, attention output,
#              intermediate, output), the tensors of its kind: see linear.py
#   kinds      for each linear weight, its kind, and the term around it: see adapted.py
#   lows       for each linear weight, the tensors of that term, or of its low-rank term: see linear.py
class Encoder(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool

  # Returns the last hidden states [T, H]. If keep is set, appends to kept the tensors that the
  # backward pass needs, ten lists per layer: of query, key, value, attention output, attention, the
  # attention norm, three of the feed-forward block, and the output norm; then one of the embeddings'
  # norm if it is trained.
  def forward(self: __torch__.Encoder, batch: List[Tensor], how: List[Tensor], spans: List[List[int]], heads: int, eps: float, embeddings: List[Tensor], norms: List[List[Tensor]], kinds: List[int], linears: List[List[Tensor]], lows: List[List[Tensor]], keep: bool, kept: List[List[Tensor]]) -> Tensor:
    x = torch.embedding(embeddings[0], batch[0])
    x = torch.add_(x, torch.embedding(embeddings[1], batch[1]))
    x, se = __torch__.norm.forward(x, embeddings[2], embeddings[3], eps, batch[5], spans)
    for layer in range(torch.len(norms)):
      norm = norms[layer]
      i = torch.mul(layer, 6)
      q, sq = __torch__.adapted.forward(x, kinds[i], linears[i], lows[i], batch[5], spans)
      k, sk = __torch__.adapted.forward(x, kinds[i + 1], linears[i + 1], lows[i + 1], batch[5], spans)
      v, sv = __torch__.adapted.forward(x, kinds[i + 2], linears[i + 2], lows[i + 2], batch[5], spans)
      context, sa = __torch__.attention.forward(q, k, v, batch[2], batch[3], batch[4], spans[0], heads)
      y, so = __torch__.adapted.forward(context, kinds[i + 3], linears[i + 3], lows[i + 3], batch[5], spans)
      x1, sn = __torch__.norm.forward(torch.add_(y, x), norm[0], norm[1], eps, batch[5], spans)
      y, sf = __torch__.feed_forward.forward(x1, kinds, linears, lows, batch[5], spans, i + 4)
      x, sm = __torch__.norm.forward(torch.add_(y, x1), norm[2], norm[3], eps, batch[5], spans)
      if keep:
        _1 = torch.append(kept, sq)
        _2 = torch.append(kept, sk)
        _3 = torch.append(kept, sv)
        _4 = torch.append(kept, so)
        _5 = torch.append(kept, sa)
        _6 = torch.append(kept, sn)
        _7 = torch.append(kept, sf[0])
        _8 = torch.append(kept, sf[1])
        _9 = torch.append(kept, sf[2])
        _10 = torch.append(kept, sm)
    if torch.__and__(keep, __torch__.norm.trained(embeddings[2])):
      _11 = torch.append(kept, se)
    return x

  # Returns one vector per sequence [B, H].
  def embed(self: __torch__.Encoder, batch: List[Tensor], how: List[Tensor], spans: List[List[int]], heads: int, eps: float, embeddings: List[Tensor], norms: List[List[Tensor]], kinds: List[int], linears: List[List[Tensor]], lows: List[List[Tensor]]) -> Tensor:
    x = (self).forward(batch, how, spans, heads, eps, embeddings, norms, kinds, linears, lows, False, annotate(List[List[Tensor]], []))
    return __torch__.pooling.forward(how, x, spans[0])

  # Returns the logits of each segment [B, labels], flat, segment after segment. heads holds, for each
  # adapter, the weight [labels, H] and the bias [labels].
  def logits(self: __torch__.Encoder, batch: List[Tensor], how: List[Tensor], spans: List[List[int]], heads: int, eps: float, embeddings: List[Tensor], norms: List[List[Tensor]], kinds: List[int], linears: List[List[Tensor]], lows: List[List[Tensor]], head: List[Tensor]) -> Tensor:
    pooled = (self).embed(batch, how, spans, heads, eps, embeddings, norms, kinds, linears, lows)
    scores = annotate(List[Tensor], [])
    for s in range(torch.len(spans[2])):
      own = torch.slice(pooled, 0, spans[3][s], spans[3][s + 1])
      i = torch.mul(spans[2][s], 2)
      _0 = torch.append(scores, torch.reshape(__torch__.primitives.addmm(head[i + 1], own, torch.t(head[i])), [-1]))
    return torch.cat(scores)

  # Returns the gradients of the linear weights in their order, then those of the norms if they are
  # trained, flat, segment after segment. Computes nothing below the weight with index lowest, which is
  # -1 if the norms are trained.
  def backward(self: __torch__.Encoder, dx: Tensor, batch: List[Tensor], spans: List[List[int]], heads: int, embeddings: List[Tensor], norms: List[List[Tensor]], kinds: List[int], linears: List[List[Tensor]], lows: List[List[Tensor]], kept: List[List[Tensor]], lowest: int) -> Tensor:
    layers = torch.len(norms)
    backwards = annotate(List[List[Tensor]], [])
    normed = annotate(List[List[Tensor]], [])
    for j in range(layers):
      layer = layers - 1 - j
      i = torch.mul(layer, 6)
      if torch.ge(i + 5, lowest):
        norm = norms[layer]
        at = torch.mul(layer, 10)
        go = annotate(List[Tensor], [])
        gv = annotate(List[Tensor], [])
        gk = annotate(List[Tensor], [])
        gq = annotate(List[Tensor], [])
        ga = annotate(List[Tensor], [])
        gn = annotate(List[Tensor], [])
        dr2 = __torch__.norm.backward(dx, kept[at + 9], norm[2], norm[3], batch[5], spans, gn)
        dx1 = __torch__.feed_forward.backward(dr2, kinds, linears, lows, batch[5], spans, i + 4, [kept[at + 6], kept[at + 7], kept[at + 8]], backwards, lowest)
        if torch.gt(i + 4, lowest):
          dr1 = __torch__.norm.backward(dx1, kept[at + 5], norm[0], norm[1], batch[5], spans, ga)
          dcontext = __torch__.adapted.backward(dr1, kinds[i + 3], linears[i + 3], lows[i + 3], batch[5], spans, kept[at + 3], go, torch.gt(i + 3, lowest), annotate(List[Tensor], []))
          if torch.gt(i + 3, lowest):
            dq, dk, dv = __torch__.attention.backward(dcontext, kept[at + 4], batch[3], heads)
            below = torch.gt(i, lowest)
            dx = __torch__.adapted.backward(dv, kinds[i + 2], linears[i + 2], lows[i + 2], batch[5], spans, kept[at + 2], gv, below, [dr1])
            dx = __torch__.adapted.backward(dk, kinds[i + 1], linears[i + 1], lows[i + 1], batch[5], spans, kept[at + 1], gk, below, [dx])
            dx = __torch__.adapted.backward(dq, kinds[i], linears[i], lows[i], batch[5], spans, kept[at], gq, below, [dx])
        _0 = torch.append(backwards, go)
        _1 = torch.append(backwards, gv)
        _2 = torch.append(backwards, gk)
        _3 = torch.append(backwards, gq)
        _4 = torch.append(normed, gn)
        _5 = torch.append(normed, ga)
    if torch.lt(lowest, 0):
      ge = annotate(List[Tensor], [])
      _6 = __torch__.norm.backward(dx, kept[torch.mul(layers, 10)], embeddings[2], embeddings[3], batch[5], spans, ge)
      _7 = torch.append(normed, ge)
      backwards = torch.add(normed, backwards)
    flat = annotate(List[Tensor], [])
    n = torch.len(backwards)
    segments = torch.len(spans[2])
    for s in range(segments):
      for j in range(n):
        grads = backwards[n - 1 - j]
        for g in range(torch.floordiv(torch.len(grads), segments)):
          _8 = torch.append(flat, grads[torch.mul(g, segments) + s])
    return torch.cat(flat)

  # Scores a slice and computes its gradients for the task classification: Encoder.java calls the
  # method that has the name of the task.
  #
  #   lowest index of the lowest linear weight that has gradients; the number of weights if none has
  #   limit, draws   the sequences that go through the backward pass, all of them with 0: see sampling.py
  #   least, multiple   the least number of rows of that pass, and what it is a multiple of
  #   size   the number of values that backward returns for a segment
  #   backs  linears, as the backward pass reads them: see linear.py
  #
  # Returns what the piece's step returns, then what backward returns.
  def classification(self: __torch__.Encoder, batch: List[Tensor], how: List[Tensor], spans: List[List[int]], heads: int, eps: float, embeddings: List[Tensor], norms: List[List[Tensor]], kinds: List[int], linears: List[List[Tensor]], lows: List[List[Tensor]], head: List[Tensor], targets: List[Tensor], lowest: int, limit: float, draws: Tensor, least: int, multiple: int, size: int, backs: List[List[Tensor]]) -> List[Tensor]:
    kept = annotate(List[List[Tensor]], [])
    trains = torch.lt(lowest, torch.mul(torch.len(norms), 6))
    x = (self).forward(batch, how, spans, heads, eps, embeddings, norms, kinds, linears, lows, trains, kept)
    pooled = __torch__.pooling.forward(how, x, spans[0])
    out, dlogits = __torch__.classification.step(pooled, head, targets, spans[3])
    if trains:
      some = True
      if torch.gt(limit, 0.):
        counts = __torch__.sampling.counts(dlogits, targets, limit, draws)
        some = torch.gt(int(torch.sum(torch.ne(counts, 0))), 0)
        if some:
          dlogits = __torch__.sampling.scaled(dlogits, counts, spans[3])
          batch, how, spans, kept = __torch__.sampling.narrowed(counts, batch, how, spans, heads, kept, least, multiple)
      if some:
        dx = __torch__.pooling.backward(how, __torch__.classification.backward(dlogits, head))
        _0 = torch.append(out, (self).backward(dx, batch, spans, heads, embeddings, norms, kinds, backs, lows, kept, lowest))
      else:
        _1 = torch.append(out, torch.new_zeros(pooled, [torch.mul(size, torch.len(targets))]))
    return out

  # Returns the matrix W' [out, in] of a linear weight merged with its adapter.
  def merge(self: __torch__.Encoder, kind: int, w: List[Tensor], low: List[Tensor]) -> Tensor:
    return __torch__.adapted.merge(kind, w, low)

  # Returns the norms of the rows of W + c B A: see adapted.py.
  def norms(self: __torch__.Encoder, kind: int, w: List[Tensor], low: List[Tensor], squares: Tensor, D: int) -> Tensor:
    return __torch__.adapted.norms(kind, w, low[0], low[1], low[2], squares, D)

  # Returns U diag(s) Vt.
  def compose(self: __torch__.Encoder, U: Tensor, s: Tensor, Vt: Tensor) -> Tensor:
    return __torch__.primitives.mm(torch.mul(U, s), Vt)

  # Returns W [out, in] in the layout in which a prediction reads it fastest: see primitives.py.
  def packed(self: __torch__.Encoder, W: Tensor) -> Tensor:
    return __torch__.primitives.packed(W)
