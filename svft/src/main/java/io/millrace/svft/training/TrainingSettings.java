package io.millrace.svft.training;

import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.method.HeadOnly;
import io.millrace.svft.task.Classification;
import io.millrace.svft.task.Task;
import io.millrace.svft.tensor.BatchLayout;
import java.io.Serializable;

/**
 * The settings of training: what a step depends on besides the base model, the state and the batch.
 *
 * @param task what the model is trained to answer
 * @param method what is trained besides the head
 * @param learningRate AdamW's learning rate for the adapter's values
 * @param headLearningRate AdamW's learning rate for the head
 * @param beta1 decay rate of the first moment
 * @param beta2 decay rate of the second moment
 * @param epsilon added to the square root of the second moment
 * @param weightDecay decoupled weight decay, as in AdamW; it pulls M towards zero, that is, towards
 *     the base model
 * @param warmupSteps number of steps over which both rates rise linearly from zero; 0 for none
 * @param decaySteps the adapter's rate is multiplied by {@code 1 / √(1 + steps / decaySteps)},
 *     where steps counts the steps taken before; 0 for no decay
 * @param decayFloor lower bound of that factor, so that a model keeps learning in a long stream
 * @param maxGradientNorm the gradient of the adapter and the gradient of the head are each scaled
 *     down to at most this Euclidean norm; 0 for no clipping
 * @param scoringSteps number of steps over which a gradient pattern sums |∂L/∂M| before it chooses
 *     M's positions; until then only the head is trained
 * @param layout how a batch is laid out for the engine
 * @param moments the format of AdamW's moments
 * @param classMeans what the mean vectors of the labels count in the head: {@link ClassMeans}; 0
 *     for none
 * @param sampleErrorsBelow of the examples whose label the model gave a probability above one minus
 *     this, a sample goes through the backward pass, weighted as {@code sampling.py} describes; 0
 *     for all of them
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
    int scoringSteps,
    BatchLayout layout,
    Moments moments,
    double classMeans,
    double sampleErrorsBelow)
    implements Serializable {

  /**
   * @throws IllegalArgumentException if {@code scoringSteps} is below 1, {@code sampleErrorsBelow}
   *     is not from [0, 1], or above 0 with another layout than segments
   */
  public TrainingSettings {
    if (scoringSteps < 1) {
      throw new IllegalArgumentException("scoringSteps is " + scoringSteps + ", below 1");
    }
    if (!(sampleErrorsBelow >= 0 && sampleErrorsBelow <= 1)) {
      throw new IllegalArgumentException(
          "sampleErrorsBelow is " + sampleErrorsBelow + ", not from [0, 1]");
    }
    if (sampleErrorsBelow > 0 && layout != BatchLayout.SEGMENTS) {
      throw new IllegalArgumentException(
          "sampleErrorsBelow above 0 needs the layout " + BatchLayout.SEGMENTS.id());
    }
  }

  /**
   * The default settings for a method. They are not tuned to one stream: docs/performance.md
   * describes the experiments.
   */
  public static TrainingSettings defaults(AdapterMethod method) {
    return new TrainingSettings(
        new Classification(),
        method,
        method.learningRate(),
        5e-3,
        0.9,
        0.999,
        1e-8,
        0.01,
        0,
        50,
        1.0 / 3,
        0,
        4,
        BatchLayout.SEGMENTS,
        Moments.FLOAT32,
        20,
        0);
  }

  /** These settings for the head alone: what a frozen model trains with. */
  public TrainingSettings ofHeadAlone() {
    return new TrainingSettings(
        task,
        new HeadOnly(),
        0,
        headLearningRate,
        beta1,
        beta2,
        epsilon,
        weightDecay,
        warmupSteps,
        decaySteps,
        decayFloor,
        maxGradientNorm,
        scoringSteps,
        layout,
        moments,
        classMeans,
        0);
  }

  /** These settings with another layout. */
  public TrainingSettings with(BatchLayout other) {
    return with(other, moments, sampleErrorsBelow);
  }

  /** These settings with moments of another format. */
  public TrainingSettings with(Moments other) {
    return with(layout, other, sampleErrorsBelow);
  }

  /** These settings with a sample of the examples in the backward pass. */
  public TrainingSettings withSampleErrorsBelow(double other) {
    return with(layout, moments, other);
  }

  private TrainingSettings with(BatchLayout otherLayout, Moments otherMoments, double otherSample) {
    return new TrainingSettings(
        task,
        method,
        learningRate,
        headLearningRate,
        beta1,
        beta2,
        epsilon,
        weightDecay,
        warmupSteps,
        decaySteps,
        decayFloor,
        maxGradientNorm,
        scoringSteps,
        otherLayout,
        otherMoments,
        classMeans,
        otherSample);
  }
}
