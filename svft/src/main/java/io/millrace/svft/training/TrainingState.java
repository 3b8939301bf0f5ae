package io.millrace.svft.training;

import io.millrace.svft.adapter.Adapter;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.task.Task;
import io.millrace.svft.tensor.Floats;
import io.millrace.svft.tensor.NativeFloats;
import io.millrace.svft.tensor.Sha256;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;

/**
 * The training state of one domain: everything that a step reads and writes. A step returns a new
 * state and leaves the old one unchanged.
 *
 * @param method what is trained besides the head
 * @param labels in the order of the head's rows
 * @param labelBornAtStep for each label, the number of steps taken before its row was added
 * @param positions flat row-major positions of M's values, weight after weight, for a pattern
 *     without a closed form (random, top-k, gradient); otherwise empty
 * @param scores for a gradient pattern that has not yet chosen positions, per adapted weight [n,
 *     n], |∂L/∂M| summed over the steps so far; after the choice, the share of the learning rate
 *     for each value; for other patterns empty
 * @param adapter the adapter's trainable values, weight after weight, and their moments; empty
 *     while a gradient pattern has not yet chosen positions
 * @param head [labels, hidden + 1]: per label its weights, then its bias; and the moments
 * @param means what the head has from the labels' mean vectors: {@link #servedHead}
 * @param steps number of steps taken
 * @param examples number of examples trained on
 */
public record TrainingState(
    AdapterMethod method,
    List<String> labels,
    long[] labelBornAtStep,
    int[] positions,
    float[] scores,
    Parameters adapter,
    Parameters head,
    ClassMeans means,
    long steps,
    long examples) {

  /**
   * The state before the first step, without labels.
   *
   * @param method what is trained besides the head
   * @param positions see {@link #positions}
   * @param scores see {@link #scores}
   * @param values the initial values of the adapter
   */
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
        ClassMeans.NONE,
        0,
        0);
  }

  /**
   * The head that predicts, [labels, hidden + 1]: the trained one, and the rows of the labels' mean
   * vectors.
   */
  public float[] servedHead() {
    if (!means.present()) {
      return head.values();
    }
    float[] served = means.rows(labels.size());
    for (int i = 0; i < served.length; i++) {
      served[i] += head.values()[i];
    }
    return served;
  }

  /** Whether a gradient pattern has not yet chosen its positions. */
  boolean choosesPositions() {
    return adapter.size() == 0 && scores.length > 0;
  }

  /**
   * Adds a zero row to the head for every new label. Nothing else changes.
   *
   * @param task determines the new labels and their order
   * @param answers the answers in the batch
   * @param hidden width of the encoder
   * @return this state if no label is new
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
        means,
        steps,
        examples);
  }

  /**
   * The adapter of this state as a version. It shares the arrays of this state; values outside of
   * the heap are copied.
   *
   * @param base the base model that it was trained on
   * @param domain the domain's name
   * @param version from 1
   * @param parentSha256 SHA-256 of the previous version; empty for version 1
   */
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
        servedHead(),
        steps,
        examples);
  }

  /**
   * SHA-256 over all components. Two states have the same hash only if all their bits are equal.
   */
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
    if (means.present()) {
      array(digest, means.toArray());
    }
    number(digest, steps);
    number(digest, examples);
    return Sha256.hex(digest);
  }

  private static void parameters(MessageDigest digest, Parameters parameters) {
    if (parameters.outside().isPresent()) {
      Parameters.Outside outside = parameters.outside().get();
      for (NativeFloats each :
          List.of(outside.values(), outside.firstMoment(), outside.secondMoment())) {
        number(digest, each.size());
        each.addTo(digest);
      }
      return;
    }
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
