package io.millrace.svft.training;

/**
 * The result of one training step.
 *
 * @param state the state after the step
 * @param loss weighted mean cross-entropy of the batch before the update, in nats
 * @param correct for each example, whether its label had the highest logit before the update, among
 *     the labels known before this batch
 * @param logits [batch, labels]: the logits before the update, in the order of the labels of {@code
 *     state}
 */
public record StepResult(TrainingState state, double loss, boolean[] correct, float[][] logits) {}
