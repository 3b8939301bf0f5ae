package io.millrace.inference.predict;

import io.millrace.inference.store.StoredVersion;
import io.millrace.svft.task.Task;

/**
 * What one version, or the base model without an adapter, says of one text.
 *
 * @param version the version that answered; null for the base model
 * @param task what the version was trained to answer; null for the base model
 * @param logits [labels], in the order of the version's labels; empty for the base model, which
 *     knows no labels
 * @param embedding [hidden], the base model's vector of the text; null where a version answered
 */
public record Prediction(StoredVersion version, Task task, float[] logits, float[] embedding) {
  static Prediction of(StoredVersion version, Task task, float[] logits) {
    return new Prediction(version, task, logits, null);
  }

  static Prediction ofBase(float[] embedding) {
    return new Prediction(null, null, new float[0], embedding);
  }

  /** Whether the base model answered, without an adapter. */
  public boolean isOfBase() {
    return version == null;
  }

  /** The domain whose version answered; null for the base model. */
  public String servedDomain() {
    return version == null ? null : version.domain();
  }

  /** The label that the task answers with; null for the base model. */
  public String label() {
    return version == null ? null : version.labels().get(task.answer(logits, logits.length));
  }

  /** How likely the model finds each label: [labels], each from 0 to 1. */
  public double[] probabilities() {
    return version == null ? new double[0] : task.probabilities(logits);
  }
}
