/**
 * Training: the operator that gathers examples into batches, steps, and publishes; and the part of
 * the job from received examples to outgoing records ({@link
 * io.millrace.operators.adapt.Adaptation}).
 *
 * <p>Here belongs what a domain's training state, batches and versions are in Flink and on record.
 * The arithmetic of a step belongs to {@code svft}; the decision which version serves belongs to
 * {@link io.millrace.operators.evidence}.
 */
package io.millrace.operators.adapt;
