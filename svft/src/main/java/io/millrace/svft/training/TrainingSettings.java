package io.millrace.svft.training;

import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.task.Classification;
import io.millrace.svft.task.Task;
import java.io.Serializable;

/**
 * What one training step depends on besides state and batch.
 *
 * @param task what the model is trained to answer
 * @param method what is trained beside the head
 * @param learningRate AdamW's, for the adapter's values
 * @param headLearningRate AdamW's, for the head
 * @param beta1 decay of the first moment
 * @param beta2 decay of the second moment
 * @param epsilon added to the root of the second moment
 * @param weightDecay decoupled, as in AdamW; it pulls M towards zero, that is towards the base
 *     model
 * @param warmupSteps steps over which both rates rise linearly from zero
 * @param decaySteps the adapter's rate falls with the inverse square root of the steps taken: by
 *     {@code 1 / √(1 + steps / decaySteps)}; 0 keeps it as it is
 * @param decayFloor the part of the rate that it never falls below, so that a model goes on
 *     learning however old the stream
 * @param maxGradientNorm gradients of the adapter and of the head are scaled down, each as a whole,
 *     to this Euclidean norm; 0 leaves them as they are
 * @param scoringSteps steps over which a gradient pattern sums |∂L/∂M| before it chooses M's
 *     positions; until then the head is trained alone
 */
public record TrainingSettings(
    Task task,
    AdapterMethod method,
    double learningRate,
    double headLearningRate,
    double beta1,
    double beta2,
    double epsilon,
    double weightDecay,
    int warmupSteps,
    int decaySteps,
    double decayFloor,
    double maxGradientNorm,
    int scoringSteps)
    implements Serializable {

  public TrainingSettings {
    if (scoringSteps < 1) {
      throw new IllegalArgumentException("scoringSteps is " + scoringSteps + ", below 1");
    }
  }

  /** The defaults. They were not tuned to one stream: docs/performance.md tells what was tried. */
  public static TrainingSettings defaults(AdapterMethod method) {
    return new TrainingSettings(
        new Classification(),
        method,
        method.learningRate(),
        1e-2,
        0.9,
        0.999,
        1e-8,
        0.01,
        0,
        50,
        1.0 / 3,
        0,
        4);
  }
}
