package io.millrace.svft.training;

import io.millrace.svft.adapter.Adapter;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.task.Task;
import io.millrace.svft.tensor.Floats;
import io.millrace.svft.tensor.Sha256;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;

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
 * @param adapter the adapter's trainable values, weight after weight; empty while positions are to
 *     be chosen
 * @param head [labels, hidden + 1]: per label its weights, then its bias
 * @param steps steps taken
 * @param examples examples trained on
 */
public record TrainingState(
    AdapterMethod method,
    List<String> labels,
    long[] labelBornAtStep,
    int[] positions,
    float[] scores,
    Parameters adapter,
    Parameters head,
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
        Parameters.initial(values),
        Parameters.initial(new float[0]),
        0,
        0);
  }

  /**
   * This state with a zero row in the head for every label that a task adds; nothing else changes.
   *
   * @param answers the batch's
   */
  public TrainingState withLabels(Task task, Collection<String> answers, int hidden) {
    List<String> all = task.labels(labels, answers);
    if (all.size() == labels.size()) {
      return this;
    }
    long[] born = Arrays.copyOf(labelBornAtStep, all.size());
    Arrays.fill(born, labels.size(), born.length, steps);
    return new TrainingState(
        method,
        all,
        born,
        positions,
        scores,
        adapter,
        head.grownTo(all.size() * (hidden + 1)),
        steps,
        examples);
  }

  /** The adapter that this state holds, as a version. */
  public Adapter toAdapter(BaseModel base, String domain, long version, String parentSha256) {
    return new Adapter(
        domain,
        version,
        parentSha256,
        base.name(),
        base.baseSha256(),
        base.basisSha256(),
        method,
        base.config(),
        labels,
        positions,
        adapter.values(),
        head.values(),
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
    array(digest, scores);
    parameters(digest, adapter);
    parameters(digest, head);
    number(digest, steps);
    number(digest, examples);
    return Sha256.hex(digest);
  }

  private static void parameters(MessageDigest digest, Parameters parameters) {
    array(digest, parameters.values());
    array(digest, parameters.firstMoment());
    array(digest, parameters.secondMoment());
  }

  private static void array(MessageDigest digest, float[] array) {
    number(digest, array.length);
    digest.update(Floats.toBytes(array));
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
