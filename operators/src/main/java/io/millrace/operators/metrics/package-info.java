/**
 * What the operators' metrics have in common: the group in Flink's metric system under which they
 * lie, and the count of dead letters. Depends on Flink and the records alone. docs/metrics.md lists
 * the metrics.
 */
package io.millrace.operators.metrics;
