/**
 * The embedded stack: Kafka, schema registry and Flink on this machine, with their data in one
 * directory, and the layout of the topics. It knows nothing of the job that runs in it.
 */
package io.millrace.pipeline.embedded;
