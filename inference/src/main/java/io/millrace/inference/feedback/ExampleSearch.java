package io.millrace.inference.feedback;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.millrace.client.kafka.Connection;
import io.millrace.client.kafka.UnreadableRecordException;
import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.Topics;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.Deserializer;

/**
 * Reads {@code labeled-examples} back, where nobody knows whether an example was written: from the
 * time of the answer to the end.
 */
final class ExampleSearch {
  private static final Duration ANSWER = Duration.ofSeconds(5);
  private static final Duration LONGEST = Duration.ofSeconds(8);

  /** By which the clocks of processes and brokers may differ. */
  private static final Duration CLOCKS = Duration.ofMinutes(1);

  private final Connection connection;

  ExampleSearch(Connection connection) {
    this.connection = connection;
  }

  /**
   * The example that was made of a request by feedback.
   *
   * @throws org.apache.kafka.common.KafkaException where Kafka or the registry does not answer in
   *     time, or there is too much to read
   */
  Optional<ServedRequest.Example> find(String requestId, ServedRequest request) {
    Properties properties = connection.properties();
    properties.putIfAbsent(ConsumerConfig.CLIENT_ID_CONFIG, "millrace-serve");
    properties.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false);
    properties.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
    try (KafkaConsumer<byte[], byte[]> consumer =
            new KafkaConsumer<>(
                properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
        Deserializer<LabeledExample> reader = connection.deserializer(LabeledExample.class)) {
      return find(requestId, request, consumer, reader);
    }
  }

  private static Optional<ServedRequest.Example> find(
      String requestId,
      ServedRequest request,
      KafkaConsumer<byte[], byte[]> consumer,
      Deserializer<LabeledExample> reader) {
    List<TopicPartition> partitions =
        consumer.partitionsFor(Topics.LABELED_EXAMPLES, ANSWER).stream()
            .map(partition -> new TopicPartition(partition.topic(), partition.partition()))
            .toList();
    consumer.assign(partitions);
    Map<TopicPartition, Long> times = new HashMap<>();
    long from = request.at().minus(CLOCKS).toEpochMilli();
    partitions.forEach(partition -> times.put(partition, from));
    Map<TopicPartition, Long> ends = consumer.endOffsets(partitions, ANSWER);
    for (Map.Entry<TopicPartition, OffsetAndTimestamp> start :
        consumer.offsetsForTimes(times, ANSWER).entrySet()) {
      long end = ends.get(start.getKey());
      consumer.seek(start.getKey(), start.getValue() == null ? end : start.getValue().offset());
    }
    byte[] domain = request.domain().getBytes(UTF_8);
    long deadline = System.nanoTime() + LONGEST.toNanos();
    Set<TopicPartition> open = new HashSet<>(partitions);
    while (true) {
      open.removeIf(partition -> consumer.position(partition, ANSWER) >= ends.get(partition));
      if (open.isEmpty()) {
        return Optional.empty();
      }
      if (System.nanoTime() > deadline) {
        throw new TimeoutException("too many examples to read back in time");
      }
      for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
        if (Arrays.equals(record.key(), domain) && isOf(requestId, request, record, reader)) {
          LabeledExample example = reader.deserialize(record.topic(), record.value());
          return Optional.of(
              new ServedRequest.Example(example.getLabel(), record.partition(), record.offset()));
        }
      }
    }
  }

  private static boolean isOf(
      String requestId,
      ServedRequest request,
      ConsumerRecord<byte[], byte[]> record,
      Deserializer<LabeledExample> reader) {
    try {
      LabeledExample example = reader.deserialize(record.topic(), record.value());
      return example != null
          && requestId.equals(example.getId())
          && example.getText().equals(request.text())
          && "feedback".equals(example.getMetadata().get("source"));
    } catch (UnreadableRecordException e) {
      return false;
    }
  }
}
