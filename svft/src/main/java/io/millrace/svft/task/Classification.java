package io.millrace.svft.task;

import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * Classification: each example has one of several labels. The outputs are logits. The loss is the
 * cross-entropy of their softmax, in nats. The score is accuracy. A new label adds a row to the
 * head.
 */
public record Classification() implements Task {
  @Override
  public String id() {
    return "classification";
  }

  @Override
  public List<String> labels(List<String> known, Collection<String> answers) {
    Set<String> all = new LinkedHashSet<>(known);
    all.addAll(answers);
    return List.copyOf(all);
  }

  @Override
  public void target(List<String> labels, String answer, float share, float[] target, int row) {
    target[row * labels.size() + labels.indexOf(answer)] = share;
  }

  @Override
  public int answer(float[] outputs, int known) {
    int best = -1;
    for (int label = 0; label < known; label++) {
      if (best < 0 || outputs[label] > outputs[best]) {
        best = label;
      }
    }
    return best;
  }

  /** The softmax of the logits. */
  @Override
  public double[] probabilities(float[] outputs) {
    double max = Double.NEGATIVE_INFINITY;
    for (float logit : outputs) {
      max = Math.max(max, logit);
    }
    double[] probabilities = new double[outputs.length];
    double sum = 0;
    for (int i = 0; i < outputs.length; i++) {
      probabilities[i] = Math.exp(outputs[i] - max);
      sum += probabilities[i];
    }
    for (int i = 0; i < outputs.length; i++) {
      probabilities[i] /= sum;
    }
    return probabilities;
  }
}
