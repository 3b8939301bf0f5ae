package io.millrace.pipeline.replay;

import io.millrace.pipeline.report.PrequentialAccuracy;
import io.millrace.schemas.TrainingStep;
import java.util.List;

/**
 * The prequential scores of a training.
 *
 * @param accuracy share of examples whose label was predicted before they were trained on
 * @param thirds the same by third of the stream
 * @param meanLoss cross-entropy in nats
 */
public record Score(double accuracy, List<Double> thirds, double meanLoss) {
  static Score of(List<TrainingStep> steps) {
    List<Boolean> correct = steps.stream().flatMap(step -> step.getCorrect().stream()).toList();
    double loss =
        steps.stream().mapToDouble(step -> step.getLoss() * step.getCorrect().size()).sum();
    return of(correct, loss);
  }

  /**
   * @param correct per example, in order
   * @param lossSum over all examples
   */
  static Score of(List<Boolean> correct, double lossSum) {
    boolean[] each = new boolean[correct.size()];
    for (int i = 0; i < each.length; i++) {
      each[i] = correct.get(i);
    }
    List<boolean[]> one = List.of(each);
    return new Score(
        PrequentialAccuracy.of(one, 0, 1),
        List.of(
            PrequentialAccuracy.of(one, 0, 3),
            PrequentialAccuracy.of(one, 1, 3),
            PrequentialAccuracy.of(one, 2, 3)),
        lossSum / Math.max(1, each.length));
  }
}
