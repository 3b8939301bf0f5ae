package io.millrace.svft.training;

import io.millrace.svft.method.AdapterLayout;
import io.millrace.svft.method.ScoredPositions;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.tensor.SplitMix64;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import java.util.stream.IntStream;

/**
 * Compares the bits of batches that are computed together with those of the same batches alone. The
 * layout of segments makes them equal where a row of a matrix product does not depend on the number
 * of rows, which holds for the kernels that were seen, and need not hold for those of another
 * library.
 */
final class GroupCheck {
  private static final int LABELS = 3;

  /** The lengths of the sequences of each batch: from a few tokens to several segments. */
  private static final int[][] LENGTHS = {{9, 12, 14}, {3}, {17, 40, 5}, {40, 66, 22}, {16, 16}};

  /** The groups that are compared: indices of batches. */
  private static final List<List<Integer>> GROUPS =
      List.of(List.of(0, 1, 2, 3, 4), List.of(3, 1, 0));

  private GroupCheck() {}

  /**
   * Whether they are equal.
   *
   * @param initial the state of a new domain
   * @param pass computes the gradients of batches together
   */
  static boolean holds(
      BaseModel base,
      AdapterLayout layout,
      TrainingState initial,
      Function<List<GradientPass.Batch>, List<Trainer.Gradients>> pass) {
    SplitMix64 random = SplitMix64.seededBy("groups");
    if (!initial.choosesPositions()) {
      return holds(base, initial, pass, random);
    }
    float[] scores = random(random, initial.scores().length);
    ScoredPositions chosen =
        ScoredPositions.choose(layout, initial.method().sparsity().orElseThrow(), scores);
    TrainingState later =
        TrainingState.initial(
            initial.method(), chosen.positions(), chosen.shares(), new float[layout.size()]);
    return holds(base, initial, pass, random) && holds(base, later, pass, random);
  }

  private static boolean holds(
      BaseModel base,
      TrainingState state,
      Function<List<GradientPass.Batch>, List<Trainer.Gradients>> pass,
      SplitMix64 random) {
    List<GradientPass.Batch> batches = new ArrayList<>();
    for (int[] lengths : LENGTHS) {
      batches.add(batch(base, state, lengths, random));
    }
    List<Trainer.Gradients> alone =
        batches.stream().map(each -> pass.apply(List.of(each)).get(0)).toList();
    for (List<Integer> group : GROUPS) {
      List<Trainer.Gradients> together = pass.apply(group.stream().map(batches::get).toList());
      for (int i = 0; i < group.size(); i++) {
        if (!same(alone.get(group.get(i)), together.get(i))) {
          return false;
        }
      }
    }
    return true;
  }

  /** A batch of random tokens, for an adapter and a head of random values. */
  private static GradientPass.Batch batch(
      BaseModel base, TrainingState like, int[] lengths, SplitMix64 random) {
    EncoderConfig config = base.config();
    int longest = config.maxPositions() - config.positionOffset();
    List<String> labels = IntStream.range(0, LABELS).mapToObj(i -> "label " + i).toList();
    long[][] ids = new long[lengths.length][];
    List<TrainingExample> examples = new ArrayList<>();
    for (int i = 0; i < lengths.length; i++) {
      ids[i] = new long[Math.min(lengths[i], longest)];
      for (int k = 0; k < ids[i].length; k++) {
        ids[i][k] = (long) (random.nextDouble() * config.vocabulary());
      }
      examples.add(new TrainingExample("", labels.get(i % LABELS), 1));
    }
    float[] values = like.adapter().values().clone();
    float[] change = random(random, values.length);
    for (int i = 0; i < values.length; i++) {
      values[i] += 0.1f * change[i];
    }
    TrainingState state =
        new TrainingState(
            like.method(),
            labels,
            new long[LABELS],
            like.positions(),
            like.scores(),
            Parameters.initial(values),
            Parameters.initial(random(random, LABELS * (config.hidden() + 1))),
            ClassMeans.NONE,
            0,
            0);
    return new GradientPass.Batch(state, examples, ids);
  }

  /** Values between 0 and 1. */
  private static float[] random(SplitMix64 random, int size) {
    float[] values = new float[size];
    for (int i = 0; i < size; i++) {
      values[i] = (float) random.nextDouble();
    }
    return values;
  }

  private static boolean same(Trainer.Gradients one, Trainer.Gradients other) {
    return Double.compare(one.loss(), other.loss()) == 0
        && Arrays.equals(one.values(), other.values())
        && Arrays.equals(one.head(), other.head())
        && Arrays.deepEquals(one.logits(), other.logits())
        && Arrays.deepEquals(one.vectors(), other.vectors());
  }
}
