package io.millrace.inference.log;

import io.millrace.client.kafka.Connection;
import io.millrace.inference.store.TopicIdentity;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.kafka.clients.CommonClientConfigs;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.CloseOptions;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.errors.TopicAuthorizationException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * The Kafka clients of a {@link TopicReader}.
 *
 * @param admin describes topics
 * @param consumer reads topics; it has no group and no default position
 */
record KafkaClients(Admin admin, KafkaConsumer<byte[], byte[]> consumer) implements AutoCloseable {
  /** How long to wait for an answer of the cluster. */
  static final Duration ANSWER_TIMEOUT = Duration.ofSeconds(5);

  /** The identity and the partitions of a topic. */
  record Description(TopicIdentity identity, Set<TopicPartition> partitions) {}

  /**
   * @param isolation the isolation level of the consumer, as Kafka names it
   */
  static KafkaClients open(Connection connection, String isolation) {
    Admin admin = Admin.create(properties(connection));
    try {
      Properties properties = properties(connection);
      properties.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, isolation);
      properties.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false);
      properties.put(ConsumerConfig.ALLOW_AUTO_CREATE_TOPICS_CONFIG, false);
      // Where offsets no longer exist, the topic may be another one: the reader decides.
      properties.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "none");
      return new KafkaClients(
          admin,
          new KafkaConsumer<>(
              properties, new ByteArrayDeserializer(), new ByteArrayDeserializer()));
    } catch (RuntimeException e) {
      admin.close(Duration.ZERO);
      throw e;
    }
  }

  private static Properties properties(Connection connection) {
    Properties properties = connection.properties();
    properties.putIfAbsent(CommonClientConfigs.CLIENT_ID_CONFIG, "millrace-serve");
    return properties;
  }

  /**
   * Describes a topic.
   *
   * @throws org.apache.kafka.common.errors.UnknownTopicOrPartitionException where there is none
   * @throws TopicAuthorizationException where the user may not know it
   * @throws TimeoutException where Kafka does not answer in time
   */
  Description describe(String topic) {
    TopicDescription found;
    try {
      found = answer(admin.describeTopics(List.of(topic)).topicNameValues().get(topic));
    } catch (TopicAuthorizationException e) {
      // The broker's answer does not name the topic.
      throw new TopicAuthorizationException(Set.of(topic));
    }
    return new Description(
        new TopicIdentity(answer(admin.describeCluster().clusterId()), found.topicId().toString()),
        found.partitions().stream()
            .map(partition -> new TopicPartition(topic, partition.partition()))
            .collect(Collectors.toSet()));
  }

  /**
   * Where to begin in partitions; of one that is not in the answer, at its beginning.
   *
   * @throws TimeoutException where Kafka does not answer in time
   */
  Map<TopicPartition, Long> starts(Set<TopicPartition> partitions, ReadStart start) {
    Map<TopicPartition, Long> starts = new HashMap<>();
    if (partitions.isEmpty() || start instanceof ReadStart.Beginning) {
      return starts;
    }
    Map<TopicPartition, Long> ends = consumer.endOffsets(partitions, ANSWER_TIMEOUT);
    if (start instanceof ReadStart.Last last) {
      Map<TopicPartition, Long> first = consumer.beginningOffsets(partitions, ANSWER_TIMEOUT);
      ends.forEach(
          (partition, end) ->
              starts.put(partition, Math.max(first.get(partition), end - last.offsets())));
    } else if (start instanceof ReadStart.NoOlderThan recent) {
      long since = System.currentTimeMillis() - recent.age().toMillis();
      Map<TopicPartition, Long> times = new HashMap<>();
      partitions.forEach(partition -> times.put(partition, since));
      consumer
          .offsetsForTimes(times, ANSWER_TIMEOUT)
          .forEach(
              (partition, found) ->
                  starts.put(partition, found == null ? ends.get(partition) : found.offset()));
    }
    return starts;
  }

  private static <T> T answer(KafkaFuture<T> future) {
    try {
      return future.get(ANSWER_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof KafkaException cause) {
        throw cause;
      }
      throw new KafkaException(e.getCause());
    } catch (java.util.concurrent.TimeoutException e) {
      throw new TimeoutException(e.getMessage(), e);
    } catch (InterruptedException e) {
      throw new InterruptException(e);
    }
  }

  /** Ends any call that is waiting; any thread may call this. */
  void interrupt() {
    admin.close(Duration.ZERO);
    consumer.wakeup();
  }

  /** Does not wait: there is nothing to commit. */
  @Override
  public void close() {
    admin.close(Duration.ZERO);
    consumer.close(CloseOptions.timeout(Duration.ZERO));
  }
}
