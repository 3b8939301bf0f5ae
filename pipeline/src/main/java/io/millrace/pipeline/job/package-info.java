/**
 * The topology of the Flink job. {@link io.millrace.pipeline.job.AdaptationJob} shows it on one
 * page; the other classes are its Kafka sources and sinks, and what converts between records and
 * operators. Settings, submission and supervision of the job are in {@code settings} and {@code
 * submission}; the operators themselves are in the module {@code operators}.
 */
package io.millrace.pipeline.job;
