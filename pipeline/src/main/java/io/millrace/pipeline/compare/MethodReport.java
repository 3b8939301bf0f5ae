package io.millrace.pipeline.compare;

import io.millrace.pipeline.report.RunReport.StepMillis;
import java.util.List;
import java.util.Map;

/**
 * The results of one method on the stream; fields of {@link io.millrace.pipeline.report.RunReport}
 * that stand here too mean the same.
 *
 * @param method as the user wrote it
 * @param spec the method's canonical text
 * @param learningRate AdamW's, for the adapter's values; null where only the head is trained
 * @param trainableParameters the adapter's values of one domain, the head not counted
 * @param adapterBytes of the adapter's file after the last step, the head in it; where there are
 *     several domains, their mean
 * @param examples examples trained on
 * @param deadLetters examples of batches whose step was not finite and changed nothing
 * @param steps training steps
 * @param prequentialAccuracy share of examples predicted right before they were trained on
 * @param accuracyStandardError of it, see {@link
 *     io.millrace.pipeline.report.PrequentialAccuracy#standardError}
 * @param meanLoss mean cross-entropy over examples, in nats
 * @param thirds accuracy by third of each domain's stream, domains pooled
 * @param thirdsStandardError of each of these
 * @param examplesPerSecond from the end of the first step to the end of the last, reading and
 *     tokenising included
 * @param trainStepMillis of the steps alone
 * @param wallSeconds of the method's process, from its start
 * @param peakRssMiB largest resident memory of the method's process up to the end of its last step
 * @param domains by name
 */
public record MethodReport(
    String method,
    String spec,
    Double learningRate,
    long trainableParameters,
    long adapterBytes,
    long examples,
    long deadLetters,
    long steps,
    double prequentialAccuracy,
    double accuracyStandardError,
    double meanLoss,
    List<Double> thirds,
    List<Double> thirdsStandardError,
    double examplesPerSecond,
    StepMillis trainStepMillis,
    double wallSeconds,
    long peakRssMiB,
    Map<String, Domain> domains) {

  /**
   * One domain of the stream.
   *
   * @param stateSha256 of the training state after the last step, as {@code TrainingStep} records
   *     it; null where no step was taken
   */
  public record Domain(long examples, long steps, double prequentialAccuracy, String stateSha256) {}
}
