/**
 * The Flink operators. This package holds no class; its packages depend on each other in one
 * direction:
 *
 * <pre>
 * adapt -> gate -> evidence -> model, output
 * adapt -> evidence, model, output
 * gate  -> output
 * </pre>
 *
 * <p>The module knows the method ({@code svft}), the records ({@code schemas}) and Flink. It knows
 * no Kafka client: sources and sinks are the pipeline's.
 */
package io.millrace.operators;
