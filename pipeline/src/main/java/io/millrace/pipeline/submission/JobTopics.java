package io.millrace.pipeline.submission;

import io.millrace.client.kafka.Connection;
import io.millrace.client.process.UsageException;
import io.millrace.schemas.Topics;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.DescribeTopicsOptions;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/** The topics that the job reads and writes. A Kafka of an earlier release may lack one. */
public final class JobTopics {
  private static final int PATIENCE_MILLIS = 15_000;
  private static final List<String> ALL =
      List.of(
          Topics.LABELED_EXAMPLES,
          Topics.ADAPTERS,
          Topics.TRAINING_STEPS,
          Topics.TRAINING_SNAPSHOTS,
          Topics.ROLLOUTS,
          Topics.DEAD_LETTERS,
          Topics.TRAINING_PROGRESS);

  private JobTopics() {}

  /**
   * Checks that all of them exist. If Kafka does not answer, for example because the user is not
   * authorized to ask, the check passes and the job reports it.
   *
   * @throws UsageException where any is missing; it names them
   */
  public static void require(Connection connection) throws InterruptedException {
    List<String> missing = new ArrayList<>();
    try (Admin admin = Admin.create(connection.properties())) {
      Map<String, KafkaFuture<TopicDescription>> descriptions =
          admin
              .describeTopics(ALL, new DescribeTopicsOptions().timeoutMs(PATIENCE_MILLIS))
              .topicNameValues();
      for (String topic : ALL) {
        if (isMissing(descriptions.get(topic))) {
          missing.add(topic);
        }
      }
    } catch (KafkaException e) {
      return;
    }
    if (!missing.isEmpty()) {
      throw new UsageException(
          "Kafka at %s lacks %s: bin/millrace topics makes what is missing"
              .formatted(connection.bootstrapServers(), String.join(", ", missing)));
    }
  }

  private static boolean isMissing(KafkaFuture<TopicDescription> description)
      throws InterruptedException {
    try {
      description.get();
      return false;
    } catch (ExecutionException e) {
      return e.getCause() instanceof UnknownTopicOrPartitionException;
    }
  }
}
