package io.millrace.pipeline.submission;

import io.millrace.client.kafka.Connection;
import io.millrace.client.process.UsageException;
import io.millrace.pipeline.records.CommittedTopic;
import io.millrace.schemas.Topics;

/**
 * What jobs have written to a Kafka. It is committed with checkpoints, and Flink deletes those of a
 * job that has ended: where there is output and no checkpoint, a job has trained on the topic
 * before, and one without its state would train on the same examples again and count versions from
 * 1.
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
      // A letter that came from a file is from whoever sent the file.
      return steps.anyMatch(step -> true)
          || letters.anyMatch(
              letter -> letter.headers().lastHeader(Topics.DEAD_LETTER_TOPIC) != null);
    }
  }
}
