package io.millrace.svft;

import java.io.Serializable;

/**
 * What one training step depends on besides state and batch.
 *
 * @param method what is trained
 * @param learningRate AdamW's, for M's values
 * @param headLearningRate AdamW's, for the head
 * @param beta1 decay of the first moment
 * @param beta2 decay of the second moment
 * @param epsilon added to the root of the second moment
 * @param weightDecay decoupled, as in AdamW; it pulls M towards zero, that is towards the base
 *     model
 * @param warmupSteps steps over which both rates rise linearly from zero
 * @param maxGradientNorm gradients of M and of the head are scaled down, each as a whole, to this
 *     Euclidean norm; 0 leaves them as they are
 */
public record TrainingSettings(
    Method method,
    double learningRate,
    double headLearningRate,
    double beta1,
    double beta2,
    double epsilon,
    double weightDecay,
    int warmupSteps,
    double maxGradientNorm)
    implements Serializable {

  /** What is trained: M and the head, or the head on a frozen encoder. */
  public enum Method {
    SVFT("svft"),
    HEAD("head");

    private final String id;

    Method(String id) {
      this.id = id;
    }

    /** As settings, state and adapters name it. */
    public String id() {
      return id;
    }

    /**
     * @throws IllegalArgumentException where no method has that name
     */
    public static Method of(String id) {
      for (Method method : values()) {
        if (method.id.equals(id)) {
          return method;
        }
      }
      throw new IllegalArgumentException("unknown adapter method: " + id);
    }
  }

  /** The defaults, of which no stream is told in advance. */
  public static TrainingSettings defaults(Method method) {
    return new TrainingSettings(method, 3e-2, 1e-2, 0.9, 0.999, 1e-8, 0.01, 0, 0);
  }
}
