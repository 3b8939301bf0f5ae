package io.millrace.inference.predict;

import io.millrace.inference.store.StoredVersion;
import io.millrace.svft.task.Task;

/**
 * The prediction of one version for one text.
 *
 * @param version the version that answered
 * @param task what the version was trained to answer
 * @param logits [labels], in the order of the version's labels
 */
public record Prediction(StoredVersion version, Task task, float[] logits) {
  /** The label that the task answers with. */
  public String label() {
    return version.labels().get(task.answer(logits, logits.length));
  }

  /** How likely the model finds each label: [labels], each from 0 to 1. */
  public double[] probabilities() {
    return task.probabilities(logits);
  }
}
