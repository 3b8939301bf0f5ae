/**
 * From settings to a running job: the checks before it is submitted (topics, time stamps, output of
 * an earlier job), the state it starts from, its Flink configuration, the job as a handle, and the
 * watch over its restarts and checkpoints. What the job consists of is in {@code job}.
 */
package io.millrace.pipeline.submission;
