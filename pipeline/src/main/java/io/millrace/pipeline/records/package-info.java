/**
 * Readers of the topics: {@code adapters} ({@code AdapterLog}), {@code rollouts} ({@code
 * RolloutLog}), and any topic in order or by offset. They write nothing, join no consumer group and
 * know no training. The one exception is {@code DomainRollout}, which appends the decision that its
 * caller made.
 */
package io.millrace.pipeline.records;
