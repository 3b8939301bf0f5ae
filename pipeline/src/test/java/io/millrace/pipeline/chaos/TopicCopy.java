package io.millrace.pipeline.chaos;

import io.millrace.client.kafka.Connection;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.function.Predicate;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** All records of a topic as they are, to be written again. */
record TopicCopy(List<ConsumerRecord<byte[], byte[]>> records) {
  /**
   * @param isolation read_committed, or read_uncommitted for what no transaction has committed too
   */
  static TopicCopy of(String topic, Connection connection, String isolation) {
    Properties properties = connection.properties();
    properties.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, isolation);
    properties.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, "false");
    List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
    try (KafkaConsumer<byte[], byte[]> consumer =
        new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      List<TopicPartition> partitions =
          consumer.partitionsFor(topic).stream()
              .map(partition -> new TopicPartition(topic, partition.partition()))
              .toList();
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
      while (ends.entrySet().stream()
          .anyMatch(end -> consumer.position(end.getKey()) < end.getValue())) {
        consumer.poll(Duration.ofMillis(100)).forEach(records::add);
      }
    }
    return new TopicCopy(records);
  }

  /** Writes those that are wanted to the partitions they were in, in their order. */
  void writeBack(Connection connection, Predicate<ConsumerRecord<byte[], byte[]>> wanted) {
    Properties properties = connection.properties();
    properties.put("max.request.size", 64 * 1024 * 1024);
    try (KafkaProducer<byte[], byte[]> producer =
        new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer())) {
      for (ConsumerRecord<byte[], byte[]> record : records) {
        if (wanted.test(record)) {
          producer.send(
              new ProducerRecord<>(
                  record.topic(),
                  record.partition(),
                  null,
                  record.key(),
                  record.value(),
                  record.headers()));
        }
      }
      producer.flush();
    }
  }
}
