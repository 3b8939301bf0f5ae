package io.millrace.svft.training;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import io.millrace.svft.engine.AdaptedModel;
import io.millrace.svft.engine.Encoder;
import io.millrace.svft.engine.SliceThreads;
import io.millrace.svft.engine.Slices;
import io.millrace.svft.engine.TokenBatch;
import io.millrace.svft.method.AdapterLayout;
import io.millrace.svft.method.Positions;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.task.Head;
import io.millrace.svft.tensor.BatchLayout;
import io.millrace.svft.tensor.SplitMix64;
import io.millrace.svft.tensor.Torch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;

/**
 * The pass forward and backward over the batches of several domains: cuts each batch into segments,
 * deals the segments out to slices, runs the slices on all threads, and sums the gradients of each
 * batch over its segments, in their order. So the bits of a batch depend neither on the threads nor
 * on the other batches.
 */
final class GradientPass {
  /** About this many tokens are a slice: with fewer, products do not reach their full speed. */
  private static final int SLICE_TOKENS = 256;

  private final BaseModel base;
  private final TrainingSettings settings;
  private final AdapterLayout layout;
  private final Encoder encoder;
  private final SliceThreads threads;

  /** The positions of a pattern with a closed form, which every domain shares; else empty. */
  private final List<Positions> closedForm;

  GradientPass(
      BaseModel base, TrainingSettings settings, AdapterLayout layout, SliceThreads threads) {
    this.base = base;
    this.settings = settings;
    this.layout = layout;
    this.encoder = new Encoder(base);
    this.threads = threads;
    this.closedForm = layout.positions(new int[0]);
  }

  /**
   * A batch of one domain.
   *
   * @param state its labels include those of the examples
   * @param ids the token ids of each example
   */
  record Batch(TrainingState state, List<TrainingExample> examples, long[][] ids) {}

  /**
   * Sequences of a batch whose gradients are summed together.
   *
   * @param batch index of the batch, and of its adapter
   * @param sequences their indices in the batch
   * @param target [sequences, labels]
   * @param draw chooses the sequences that go through the backward pass, from [0, 1)
   */
  private record Segment(
      int batch, int[] sequences, float[] target, float draw, TokenBatch.Segment tokens) {}

  /**
   * The contribution of one segment to its batch. Its arrays may be changed.
   *
   * @param values gradient of the adapter's values; empty if it is {@code outside}
   * @param outside that gradient in PyTorch's memory
   */
  private record Part(
      float[] logits,
      float[] vectors,
      double loss,
      float[] headWeight,
      float[] headBias,
      float[] values,
      Optional<NDArray> outside) {}

  /**
   * The loss of a batch and its gradients.
   *
   * @param gradients without those of the adapter's values, if these lie outside of the heap
   * @param outside the gradients of the adapter's values if they do, of each segment, in their
   *     order: their sum is the batch's
   */
  record Result(Trainer.Gradients gradients, List<NDArray> outside) implements AutoCloseable {

    /** All gradients on the heap. */
    Trainer.Gradients onHeap() {
      if (outside.isEmpty()) {
        return gradients;
      }
      float[] sum = outside.get(0).toFloatArray();
      outside.subList(1, outside.size()).forEach(part -> add(sum, part.toFloatArray()));
      return new Trainer.Gradients(
          gradients.loss(), gradients.logits(), gradients.vectors(), sum, gradients.head());
    }

    @Override
    public void close() {
      outside.forEach(NDArray::close);
    }
  }

  /** As {@link #compute}, with all gradients on the heap. */
  List<Trainer.Gradients> gradients(List<Batch> batches) {
    List<Result> computed = compute(batches);
    try {
      return computed.stream().map(Result::onHeap).toList();
    } finally {
      computed.forEach(Result::close);
    }
  }

  /**
   * Scores batches and computes their gradients.
   *
   * @param batches all with positions of M, or all without
   * @return for each batch, which the caller closes; they may be infinite or not a number
   */
  List<Result> compute(List<Batch> batches) {
    List<List<Segment>> segments = new ArrayList<>();
    for (int i = 0; i < batches.size(); i++) {
      segments.add(segments(i, batches.get(i)));
    }
    List<List<Segment>> slices = slices(segments);
    NDManager manager = base.manager();
    try (NDScope scope = new NDScope();
        AdaptedModel model = model(batches, manager)) {
      List<List<NDArray>> heads = batches.stream().map(each -> head(each.state())).toList();
      boolean outside =
          batches.size() == 1
              && batches.get(0).state().adapter().outside().isPresent()
              && model.isGradientInOrder();
      List<Part> parts = parts(slices, batches, model, heads, outside);
      List<Result> gradients = new ArrayList<>();
      int from = 0;
      for (int i = 0; i < batches.size(); i++) {
        int to = from + segments.get(i).size();
        gradients.add(sum(batches.get(i), segments.get(i), parts.subList(from, to), model));
        from = to;
      }
      return gradients;
    }
  }

  private AdaptedModel model(List<Batch> batches, NDManager manager) {
    List<AdapterLayout.Values> adapters =
        batches.stream().map(each -> values(each.state())).toList();
    return new AdaptedModel(
        base, layout.products(base, adapters, manager), layout.norms(adapters, manager));
  }

  private AdapterLayout.Values values(TrainingState state) {
    List<Positions> positions =
        closedForm.isEmpty() ? layout.positions(state.positions()) : closedForm;
    return state
        .adapter()
        .outside()
        .map(outside -> new AdapterLayout.Values(positions, outside.values()))
        .orElseGet(() -> new AdapterLayout.Values(positions, state.adapter().values()));
  }

  private List<NDArray> head(TrainingState state) {
    int hidden = base.config().hidden();
    int labels = state.labels().size();
    float[] head = state.servedHead();
    return List.of(
        Torch.array(base.manager(), Head.weights(head, hidden), labels, hidden),
        Torch.array(base.manager(), Head.biases(head, hidden), labels));
  }

  private List<Segment> segments(int index, Batch batch) {
    List<String> labels = batch.state().labels();
    double total = batch.examples().stream().mapToDouble(TrainingExample::weight).sum();
    List<Segment> segments = new ArrayList<>();
    SplitMix64 random = SplitMix64.seededBy("backward pass of step " + batch.state().steps());
    for (int[] sequences : Slices.segments(batch.ids(), settings.layout())) {
      float[] target = new float[sequences.length * labels.size()];
      long[][] ids = new long[sequences.length][];
      for (int i = 0; i < sequences.length; i++) {
        ids[i] = batch.ids()[sequences[i]];
        TrainingExample example = batch.examples().get(sequences[i]);
        float share = (float) (example.weight() / total);
        settings.task().target(labels, example.label(), share, target, i);
      }
      segments.add(
          new Segment(
              index, sequences, target, random.nextFloat(), new TokenBatch.Segment(ids, index)));
    }
    return segments;
  }

  /**
   * Deals segments out, in their order. Those of one batch alone are slices of their own, as the
   * layout {@link BatchLayout#SLICES} demands.
   */
  private List<List<Segment>> slices(List<List<Segment>> batches) {
    List<Segment> all = batches.stream().flatMap(List::stream).toList();
    if (batches.size() == 1) {
      return all.stream().map(List::of).toList();
    }
    int tokens = all.stream().mapToInt(each -> each.tokens().tokens()).sum();
    int count = Math.max(1, (tokens + SLICE_TOKENS / 2) / SLICE_TOKENS);
    count = (count + threads.count() - 1) / threads.count() * threads.count();
    List<List<Segment>> slices = new ArrayList<>();
    List<Segment> slice = new ArrayList<>();
    long taken = 0;
    for (Segment segment : all) {
      long middle = 2 * taken + segment.tokens().tokens();
      // Cuts where the middle of the segment lies beyond the share of the slices so far.
      if (!slice.isEmpty() && middle * count >= 2L * tokens * (slices.size() + 1)) {
        slices.add(slice);
        slice = new ArrayList<>();
      }
      slice.add(segment);
      taken += segment.tokens().tokens();
    }
    slices.add(slice);
    return slices;
  }

  /**
   * Runs all slices.
   *
   * @param outside whether the gradients of the adapter's values stay outside of the heap; the
   *     caller closes them
   */
  private List<Part> parts(
      List<List<Segment>> slices,
      List<Batch> batches,
      AdaptedModel model,
      List<List<NDArray>> heads,
      boolean outside) {
    List<NDArray> kept = Collections.synchronizedList(new ArrayList<>());
    List<Callable<List<Part>>> tasks = new ArrayList<>();
    slices.forEach(
        slice -> tasks.add(() -> parts(slice, batches, model, heads, outside ? kept : null)));
    try {
      return threads.run(tasks).stream().flatMap(List::stream).toList();
    } catch (RuntimeException e) {
      kept.forEach(NDArray::close);
      throw e;
    }
  }

  /**
   * Runs a slice.
   *
   * @param kept receives the gradient of the adapter's values if it stays outside of the heap, then
   *     the slice is one segment; null if it does not
   */
  private List<Part> parts(
      List<Segment> slice,
      List<Batch> batches,
      AdaptedModel model,
      List<List<NDArray>> allHeads,
      List<NDArray> kept) {
    int hidden = base.config().hidden();
    try (NDScope scope = new NDScope()) {
      List<NDArray> heads = new ArrayList<>();
      List<NDArray> targets = new ArrayList<>();
      for (Segment segment : slice) {
        int labels = labels(segment, batches);
        heads.addAll(allHeads.get(segment.batch()));
        targets.add(
            Torch.array(base.manager(), segment.target(), segment.sequences().length, labels));
      }
      TokenBatch tokens =
          new TokenBatch(
              settings.layout(),
              slice.stream().map(Segment::tokens).toList(),
              TokenBatch.TRAINING_ROWS);
      float[] draws = new float[slice.size()];
      for (int i = 0; i < draws.length; i++) {
        draws[i] = slice.get(i).draw();
      }
      List<NDArray> arrays =
          encoder.step(
              settings.task().id(),
              tokens,
              model,
              heads,
              targets,
              settings.sampleErrorsBelow(),
              draws);
      Optional<NDArray> outside = Optional.empty();
      if (kept != null) {
        outside = Optional.of(arrays.get(5));
        NDScope.unregister(arrays.get(5));
        kept.add(arrays.get(5));
        arrays = arrays.subList(0, 5);
      }
      List<float[]> out = arrays.stream().map(NDArray::toFloatArray).toList();
      int trained = out.size() > 5 ? model.gradientSize() : 0;
      int[] at = new int[6];
      List<Part> parts = new ArrayList<>();
      for (Segment segment : slice) {
        int labels = labels(segment, batches);
        parts.add(
            new Part(
                next(out, 0, at, segment.target().length),
                next(out, 4, at, segment.sequences().length * hidden),
                next(out, 1, at, 1)[0],
                next(out, 2, at, labels * hidden),
                next(out, 3, at, labels),
                trained == 0 ? new float[0] : next(out, 5, at, trained),
                outside));
      }
      return parts;
    }
  }

  private static int labels(Segment segment, List<Batch> batches) {
    return batches.get(segment.batch()).state().labels().size();
  }

  private static float[] next(List<float[]> all, int index, int[] at, int size) {
    int from = at[index];
    at[index] += size;
    return Arrays.copyOfRange(all.get(index), from, from + size);
  }

  /** Sums the segments of a batch in their order. */
  private Result sum(Batch batch, List<Segment> segments, List<Part> parts, AdaptedModel model) {
    Part sum = parts.get(0);
    double loss = sum.loss();
    for (Part part : parts.subList(1, parts.size())) {
      loss += part.loss();
      add(sum.values(), part.values());
      add(sum.headWeight(), part.headWeight());
      add(sum.headBias(), part.headBias());
    }
    float[][] logits = new float[batch.ids().length][];
    float[][] vectors = new float[batch.ids().length][];
    for (int s = 0; s < segments.size(); s++) {
      float[][] rows = Head.rows(parts.get(s).logits(), batch.state().labels().size());
      float[][] own = Head.rows(parts.get(s).vectors(), base.config().hidden());
      for (int i = 0; i < rows.length; i++) {
        logits[segments.get(s).sequences()[i]] = rows[i];
        vectors[segments.get(s).sequences()[i]] = own[i];
      }
    }
    Trainer.Gradients gradients =
        new Trainer.Gradients(
            // Without loss, the program's negated sum is -0.0.
            loss + 0.0,
            logits,
            vectors,
            sum.outside().isPresent() ? sum.values() : model.gradients(sum.values()),
            Head.join(sum.headWeight(), sum.headBias(), base.config().hidden()));
    return new Result(gradients, parts.stream().flatMap(part -> part.outside().stream()).toList());
  }

  private static void add(float[] sum, float[] term) {
    for (int i = 0; i < sum.length; i++) {
      sum[i] += term[i];
    }
  }
}
