/**
 * The records that leave the job, and how they commit with its state ({@link
 * io.millrace.operators.output.OutgoingRecords}).
 *
 * <p>Every topic, key and route of an outgoing record is chosen here. The Kafka sinks that write
 * the records belong to the pipeline.
 */
package io.millrace.operators.output;
