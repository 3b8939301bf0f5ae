package io.millrace.inference.predict;

import io.millrace.inference.store.StoredVersion;

/**
 * The prediction of one version for one text.
 *
 * @param version the version that answered
 * @param logits [labels], in the order of the version's labels
 */
public record Prediction(StoredVersion version, float[] logits) {
  /** The label with the greatest logit; of equal logits, the first. */
  public String label() {
    int best = 0;
    for (int i = 1; i < logits.length; i++) {
      if (logits[i] > logits[best]) {
        best = i;
      }
    }
    return version.labels().get(best);
  }

  /** Softmax of the logits: [labels], each from 0 to 1. */
  public double[] probabilities() {
    double max = Double.NEGATIVE_INFINITY;
    for (float logit : logits) {
      max = Math.max(max, logit);
    }
    double[] probabilities = new double[logits.length];
    double sum = 0;
    for (int i = 0; i < logits.length; i++) {
      probabilities[i] = Math.exp(logits[i] - max);
      sum += probabilities[i];
    }
    for (int i = 0; i < logits.length; i++) {
      probabilities[i] /= sum;
    }
    return probabilities;
  }
}
