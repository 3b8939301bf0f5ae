package io.millrace.svft.training;

/**
 * What one training step gave.
 *
 * @param state the state after it
 * @param loss weighted mean cross-entropy of the batch before the update, in nats
 * @param correct per example, whether its label had the highest score among the labels known before
 *     this batch, before the update
 * @param logits [batch, labels]: the scores before the update, over the labels of {@code state}
 */
public record StepResult(TrainingState state, double loss, boolean[] correct, float[][] logits) {}
