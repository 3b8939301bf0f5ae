/**
 * The comparison of adapter methods: each method trains on one file in a process of its own,
 * without Kafka and Flink, and the reports are set side by side.
 */
package io.millrace.pipeline.compare;
