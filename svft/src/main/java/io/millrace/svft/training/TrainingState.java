package io.millrace.svft.training;

import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.tensor.Floats;
import io.millrace.svft.tensor.Sha256;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * Everything a training step reads and writes for one domain. A value: steps return a new one.
 *
 * @param method what is trained beside the head
 * @param labels in the order of the head's rows
 * @param labelBornAtStep per label, how many steps had been taken when its row was added
 * @param positions where M's values lie, as flat row-major places, for a pattern that cannot tell
 *     from its settings: random, top-k, gradient; else empty
 * @param scores of a gradient pattern: while positions are still to be chosen, per adapted weight
 *     [n, n], the magnitudes of ∂L/∂M summed so far; then, per value, the share of the rate that it
 *     moves by. Of other patterns empty
 * @param values the adapter's trainable values, weight after weight; empty while positions are to
 *     be chosen
 * @param valuesFirstMoment AdamW's, of {@code values}
 * @param valuesSecondMoment AdamW's, of {@code values}
 * @param head [labels, hidden + 1]: per label its weights, then its bias
 * @param headFirstMoment AdamW's, of {@code head}
 * @param headSecondMoment AdamW's, of {@code head}
 * @param steps steps taken
 * @param examples examples trained on
 */
public record TrainingState(
    AdapterMethod method,
    List<String> labels,
    long[] labelBornAtStep,
    int[] positions,
    float[] scores,
    float[] values,
    float[] valuesFirstMoment,
    float[] valuesSecondMoment,
    float[] head,
    float[] headFirstMoment,
    float[] headSecondMoment,
    long steps,
    long examples) {

  /** The state before the first step: the model is the base model. */
  public static TrainingState initial(
      AdapterMethod method, int[] positions, float[] scores, float[] values) {
    return new TrainingState(
        method,
        List.of(),
        new long[0],
        positions,
        scores,
        values,
        new float[values.length],
        new float[values.length],
        new float[0],
        new float[0],
        new float[0],
        0,
        0);
  }

  /**
   * This state with a zero row in the head for every label it does not know yet, in the order of
   * their first appearance; nothing else changes.
   */
  public TrainingState withLabels(Collection<String> seen, int hidden) {
    Set<String> all = new LinkedHashSet<>(labels);
    all.addAll(seen);
    if (all.size() == labels.size()) {
      return this;
    }
    int size = all.size() * (hidden + 1);
    long[] born = Arrays.copyOf(labelBornAtStep, all.size());
    Arrays.fill(born, labels.size(), born.length, steps);
    return new TrainingState(
        method,
        List.copyOf(new ArrayList<>(all)),
        born,
        positions,
        scores,
        values,
        valuesFirstMoment,
        valuesSecondMoment,
        Arrays.copyOf(head, size),
        Arrays.copyOf(headFirstMoment, size),
        Arrays.copyOf(headSecondMoment, size),
        steps,
        examples);
  }

  /** SHA-256 over every field: equal for two states only where all their bits are. */
  public String sha256() {
    MessageDigest digest = Sha256.digest();
    text(digest, method.spec());
    for (int i = 0; i < labels.size(); i++) {
      text(digest, labels.get(i));
      number(digest, labelBornAtStep[i]);
    }
    number(digest, positions.length);
    digest.update(Floats.toBytes(positions));
    for (float[] array :
        List.of(
            scores,
            values,
            valuesFirstMoment,
            valuesSecondMoment,
            head,
            headFirstMoment,
            headSecondMoment)) {
      number(digest, array.length);
      digest.update(Floats.toBytes(array));
    }
    number(digest, steps);
    number(digest, examples);
    return Sha256.hex(digest);
  }

  private static void text(MessageDigest digest, String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    number(digest, bytes.length);
    digest.update(bytes);
  }

  private static void number(MessageDigest digest, long number) {
    digest.update(ByteBuffer.allocate(Long.BYTES).putLong(0, number));
  }
}
