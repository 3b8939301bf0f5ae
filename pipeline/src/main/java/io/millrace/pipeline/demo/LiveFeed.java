package io.millrace.pipeline.demo;

import io.millrace.client.kafka.Connection;
import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.Topics;
import io.millrace.schemas.TrainingStep;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.NavigableMap;
import java.util.Properties;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serializer;

/**
 * Sends examples as a live source would: as fast as they are trained on, so that what is measured
 * after it is latency and not a queue.
 */
final class LiveFeed implements AutoCloseable {
  /** Examples sent and not yet trained on, at most. */
  private static final int IN_FLIGHT = 64;

  /** A broken record goes out this often. */
  private static final int GARBAGE_EVERY = 2000;

  private final Connection connection;
  private final KafkaProducer<byte[], byte[]> producer;
  private final KafkaConsumer<byte[], byte[]> steps;
  private final Serializer<Object> serializer;
  private final Deserializer<TrainingStep> stepReader;
  private final NavigableMap<Long, Long> appendedAt = new ConcurrentSkipListMap<>();
  private long trained;
  private long lastStep;
  private volatile long sent;

  LiveFeed(Connection connection) {
    this.connection = connection;
    this.serializer = connection.serializer();
    this.stepReader = connection.deserializer(TrainingStep.class);
    Properties properties = connection.properties();
    properties.put(ProducerConfig.ACKS_CONFIG, "all");
    properties.put(ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, "true");
    this.producer =
        new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer());
    this.steps = openSteps();
  }

  /** Reads uncommitted steps: only the pace depends on them. */
  private KafkaConsumer<byte[], byte[]> openSteps() {
    Properties properties = connection.properties();
    properties.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_uncommitted");
    properties.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, "false");
    KafkaConsumer<byte[], byte[]> consumer =
        new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    List<TopicPartition> partitions =
        consumer.partitionsFor(Topics.TRAINING_STEPS).stream()
            .map(partition -> new TopicPartition(partition.topic(), partition.partition()))
            .toList();
    consumer.assign(partitions);
    consumer.seekToBeginning(partitions);
    return consumer;
  }

  /** Sends all of them; ends early when the thread is interrupted. */
  void run(List<LabeledExample> examples) throws InterruptedException, ExecutionException {
    List<Future<RecordMetadata>> unconfirmed = new ArrayList<>();
    for (LabeledExample example : examples) {
      while (sent - trained >= IN_FLIGHT) {
        confirm(unconfirmed);
        observeSteps();
      }
      byte[] key = example.getDomain().getBytes(StandardCharsets.UTF_8);
      if (sent % GARBAGE_EVERY == GARBAGE_EVERY / 2) {
        producer.send(new ProducerRecord<>(Topics.LABELED_EXAMPLES, key, new byte[] {1, 2, 3}));
      }
      byte[] value = serializer.serialize(Topics.LABELED_EXAMPLES, example);
      unconfirmed.add(producer.send(new ProducerRecord<>(Topics.LABELED_EXAMPLES, key, value)));
      sent++;
    }
    confirm(unconfirmed);
  }

  private void confirm(List<Future<RecordMetadata>> unconfirmed)
      throws InterruptedException, ExecutionException {
    for (Future<RecordMetadata> each : unconfirmed) {
      RecordMetadata metadata = each.get();
      appendedAt.put(metadata.offset(), metadata.timestamp());
    }
    unconfirmed.clear();
  }

  private void observeSteps() throws InterruptedException {
    if (Thread.interrupted()) {
      throw new InterruptedException();
    }
    for (ConsumerRecord<byte[], byte[]> record : steps.poll(Duration.ofMillis(50))) {
      TrainingStep step = stepReader.deserialize(record.topic(), record.value());
      // After a failure steps come again.
      if (step.getStep() > lastStep) {
        lastStep = step.getStep();
        trained += step.getCorrect().size();
      }
    }
  }

  /** Examples sent so far. */
  long sent() {
    return sent;
  }

  /** Offset of each example in the stream's one partition, and when Kafka appended it. */
  NavigableMap<Long, Long> appendedAt() {
    return appendedAt;
  }

  @Override
  public void close() {
    producer.close(Duration.ofSeconds(5));
    steps.close();
  }
}
