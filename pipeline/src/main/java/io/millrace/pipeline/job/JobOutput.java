package io.millrace.pipeline.job;

import io.millrace.client.kafka.Connection;
import io.millrace.client.process.UsageException;
import io.millrace.pipeline.records.CommittedTopic;
import io.millrace.schemas.Topics;
import java.time.Instant;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/**
 * The output of earlier jobs in Kafka. Output is committed with checkpoints, and Flink deletes the
 * checkpoints of a job that has ended. So output without a checkpoint means that a job has trained
 * on the topic before. A job without its state would train on the same examples again and count
 * versions from 1.
 */
public final class JobOutput {
  private JobOutput() {}

  /**
   * Whether there is any.
   *
   * @throws UsageException where the topics are missing
   * @throws IllegalStateException where Kafka does not answer
   */
  public static boolean exists(Connection connection) {
    try (CommittedTopic steps = new CommittedTopic(connection, Topics.TRAINING_STEPS);
        CommittedTopic letters = new CommittedTopic(connection, Topics.DEAD_LETTERS)) {
      // The command that sends a file writes dead letters too, without this header.
      return steps.anyMatch(step -> true) || letters.anyMatch(JobOutput::isOfAJob);
    }
  }

  /**
   * Whether there is any from that time on.
   *
   * @throws UsageException where the topics are missing
   * @throws IllegalStateException where Kafka does not answer
   */
  public static boolean existsSince(Connection connection, Instant time) {
    try (CommittedTopic steps = new CommittedTopic(connection, Topics.TRAINING_STEPS);
        CommittedTopic letters = new CommittedTopic(connection, Topics.DEAD_LETTERS)) {
      return steps.anyMatchSince(time, step -> true)
          || letters.anyMatchSince(time, JobOutput::isOfAJob);
    }
  }

  private static boolean isOfAJob(ConsumerRecord<byte[], byte[]> letter) {
    return letter.headers().lastHeader(Topics.DEAD_LETTER_TOPIC) != null;
  }
}
