package io.millrace.pipeline.embedded;

import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.schemas.Topics;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.config.TopicConfig;
import org.apache.kafka.common.errors.TopicExistsException;

/** Millrace's topics, and how each keeps its records. */
public final class TopicLayout {
  /** Partitions of every topic. */
  public static final Setting<Integer> PARTITIONS =
      Setting.integer(
          "topics.partitions",
          4,
          1,
          1000,
          "Partitions of every topic when it is made; a topic keeps them for good.");

  private static final Map<String, String> BY_TIME =
      Map.of(
          TopicConfig.CLEANUP_POLICY_CONFIG,
          TopicConfig.CLEANUP_POLICY_DELETE,
          TopicConfig.RETENTION_MS_CONFIG,
          String.valueOf(Duration.ofDays(30).toMillis()));

  /**
   * By the broker's clock: replay needs what came in the last 30 days, whatever its writers' clocks
   * say.
   */
  private static final Map<String, String> BY_TIME_OF_ARRIVAL =
      with(BY_TIME, TopicConfig.MESSAGE_TIMESTAMP_TYPE_CONFIG, "LogAppendTime");

  /** As long as the examples that a replay continues with. */
  private static final Map<String, String> SNAPSHOTS =
      with(
          BY_TIME_OF_ARRIVAL,
          TopicConfig.MAX_MESSAGE_BYTES_CONFIG,
          String.valueOf(EmbeddedKafka.LARGEST_RECORD));

  /** Nothing of it may be deleted: it says what served at any time. */
  private static final Map<String, String> FOR_GOOD =
      Map.of(
          TopicConfig.CLEANUP_POLICY_CONFIG,
          TopicConfig.CLEANUP_POLICY_DELETE,
          TopicConfig.RETENTION_MS_CONFIG,
          "-1",
          TopicConfig.RETENTION_BYTES_CONFIG,
          "-1",
          TopicConfig.MESSAGE_TIMESTAMP_TYPE_CONFIG,
          "LogAppendTime");

  private static final Map<String, String> COMPACTED =
      Map.of(
          TopicConfig.CLEANUP_POLICY_CONFIG,
          TopicConfig.CLEANUP_POLICY_COMPACT,
          TopicConfig.MAX_MESSAGE_BYTES_CONFIG,
          String.valueOf(EmbeddedKafka.LARGEST_RECORD));

  /** An example may arrive compressed and leave uncompressed; its dead letter has headers too. */
  private static final Map<String, String> DEAD_LETTERS =
      with(
          BY_TIME,
          TopicConfig.MAX_MESSAGE_BYTES_CONFIG,
          String.valueOf(EmbeddedKafka.LARGEST_RECORD));

  /** What people look at; training-steps has what counts. */
  private static final Map<String, String> FOR_A_WEEK =
      Map.of(
          TopicConfig.CLEANUP_POLICY_CONFIG,
          TopicConfig.CLEANUP_POLICY_DELETE,
          TopicConfig.RETENTION_MS_CONFIG,
          String.valueOf(Duration.ofDays(7).toMillis()),
          TopicConfig.MESSAGE_TIMESTAMP_TYPE_CONFIG,
          "LogAppendTime");

  /** It holds texts of users, and is needed for as long as feedback is taken. */
  private static final Map<String, String> FOR_A_DAY =
      Map.of(
          TopicConfig.CLEANUP_POLICY_CONFIG,
          TopicConfig.CLEANUP_POLICY_DELETE,
          TopicConfig.RETENTION_MS_CONFIG,
          String.valueOf(Duration.ofDays(1).toMillis()),
          TopicConfig.SEGMENT_MS_CONFIG,
          String.valueOf(Duration.ofHours(1).toMillis()),
          TopicConfig.MESSAGE_TIMESTAMP_TYPE_CONFIG,
          "LogAppendTime");

  private static final Map<String, Map<String, String>> CONFIGURATIONS = configurations();

  private TopicLayout() {}

  /**
   * Makes the topics that are missing, with the brokers' default replication. One that exists stays
   * as it is.
   *
   * @return the names of those it made
   * @throws UsageException where {@link #PARTITIONS} is set and a topic has another number of them
   * @throws ExecutionException where Kafka refuses
   */
  public static List<String> create(Admin admin, Settings settings)
      throws ExecutionException, InterruptedException {
    int partitions = settings.get(PARTITIONS);
    Set<String> existing = admin.listTopics().names().get();
    List<NewTopic> missing =
        CONFIGURATIONS.entrySet().stream()
            .filter(topic -> !existing.contains(topic.getKey()))
            .map(
                topic ->
                    new NewTopic(topic.getKey(), Optional.of(partitions), Optional.empty())
                        .configs(topic.getValue()))
            .toList();
    Map<String, KafkaFuture<Void>> creations = admin.createTopics(missing).values();
    List<String> made = new ArrayList<>();
    for (NewTopic topic : missing) {
      if (isNew(creations.get(topic.name()))) {
        made.add(topic.name());
      }
    }
    if (settings.explicit().containsKey(PARTITIONS.key())) {
      List<String> kept = CONFIGURATIONS.keySet().stream().filter(existing::contains).toList();
      for (TopicDescription topic : admin.describeTopics(kept).allTopicNames().get().values()) {
        requirePartitions(topic, partitions);
      }
    }
    return made;
  }

  /** A broker lists a new topic with a delay, and another process may create it meanwhile. */
  private static boolean isNew(KafkaFuture<Void> creation)
      throws ExecutionException, InterruptedException {
    try {
      creation.get();
      return true;
    } catch (ExecutionException e) {
      if (e.getCause() instanceof TopicExistsException) {
        return false;
      }
      throw e;
    }
  }

  private static void requirePartitions(TopicDescription topic, int partitions) {
    if (topic.partitions().size() != partitions) {
      throw new UsageException(
          "%s=%d: topic %s exists with %d partitions and keeps them"
              .formatted(PARTITIONS.key(), partitions, topic.name(), topic.partitions().size()));
    }
  }

  private static Map<String, Map<String, String>> configurations() {
    Map<String, Map<String, String>> configurations = new LinkedHashMap<>();
    configurations.put(Topics.LABELED_EXAMPLES, BY_TIME_OF_ARRIVAL);
    configurations.put(Topics.ADAPTERS, COMPACTED);
    configurations.put(Topics.TRAINING_STEPS, BY_TIME_OF_ARRIVAL);
    configurations.put(Topics.TRAINING_SNAPSHOTS, SNAPSHOTS);
    configurations.put(Topics.ROLLOUTS, FOR_GOOD);
    configurations.put(Topics.DEAD_LETTERS, DEAD_LETTERS);
    configurations.put(Topics.TRAINING_PROGRESS, FOR_A_WEEK);
    configurations.put(Topics.SERVED_REQUESTS, FOR_A_DAY);
    return configurations;
  }

  private static Map<String, String> with(Map<String, String> map, String key, String value) {
    Map<String, String> more = new LinkedHashMap<>(map);
    more.put(key, value);
    return more;
  }
}
