package io.millrace.svft;

import java.io.Serializable;

/**
 * What one training step depends on besides state and batch.
 *
 * @param method what is trained beside the head
 * @param learningRate AdamW's, for the adapter's values
 * @param headLearningRate AdamW's, for the head
 * @param beta1 decay of the first moment
 * @param beta2 decay of the second moment
 * @param epsilon added to the root of the second moment
 * @param weightDecay decoupled, as in AdamW; it pulls M towards zero, that is towards the base
 *     model
 * @param warmupSteps steps over which both rates rise linearly from zero
 * @param maxGradientNorm gradients of the adapter and of the head are scaled down, each as a whole,
 *     to this Euclidean norm; 0 leaves them as they are
 * @param scoringSteps steps over which a gradient pattern sums |∂L/∂M| before it chooses M's
 *     positions; until then the head is trained alone
 */
public record TrainingSettings(
    AdapterMethod method,
    double learningRate,
    double headLearningRate,
    double beta1,
    double beta2,
    double epsilon,
    double weightDecay,
    int warmupSteps,
    double maxGradientNorm,
    int scoringSteps)
    implements Serializable {

  public TrainingSettings {
    if (scoringSteps < 1) {
      throw new IllegalArgumentException("scoringSteps is " + scoringSteps + ", below 1");
    }
  }

  /** The defaults, of which no stream is told in advance. */
  public static TrainingSettings defaults(AdapterMethod method) {
    return new TrainingSettings(
        method, learningRate(method), 1e-2, 0.9, 0.999, 1e-8, 0.01, 0, 0, 10);
  }

  private static double learningRate(AdapterMethod method) {
    if (method instanceof AdapterMethod.Svft) {
      return 3e-2;
    }
    return method instanceof AdapterMethod.Lora ? 1e-3 : 2e-5;
  }
}
