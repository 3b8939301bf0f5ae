package io.millrace.pipeline.report;

import io.millrace.client.kafka.Connection;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.Topics;
import io.millrace.schemas.TrainingStep;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.Deserializer;

/**
 * Reads the steps, versions and dead letters of a training from the beginning of their topics. Only
 * committed records count, so a run that was killed and resumed gives the same as one that was not.
 *
 * <p>It keeps what they add up to, and no record: who needs them takes them as they come.
 */
public final class RunRecord implements AutoCloseable {
  private static final List<String> TOPICS =
      List.of(Topics.TRAINING_STEPS, Topics.ADAPTERS, Topics.DEAD_LETTERS);

  private static final int THIRDS = 3;
  private static final Duration WAIT = Duration.ofMillis(100);

  /** Takes each record after it was counted; within a domain in order. */
  public interface Listener {
    default void took(TrainingStep step) {}

    default void took(AdapterVersion version) {}
  }

  private static final Listener NOBODY = new Listener() {};

  private final Connection connection;
  private final Listener listener;
  private final KafkaConsumer<byte[], byte[]> consumer;
  private final Deserializer<TrainingStep> stepReader;
  private final Deserializer<AdapterVersion> versionReader;
  private final List<TopicPartition> partitions = new ArrayList<>();
  private final RunTotals totals = new RunTotals();
  private long committed;

  /** Opens the topics; nothing is read yet. */
  public RunRecord(Connection connection) {
    this(connection, NOBODY);
  }

  /**
   * Opens the topics; nothing is read yet.
   *
   * @param listener takes each step and version
   */
  public RunRecord(Connection connection, Listener listener) {
    this.connection = connection;
    this.listener = listener;
    Properties properties = connection.properties();
    properties.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed");
    properties.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, "false");
    properties.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
    consumer =
        new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    stepReader = connection.deserializer(TrainingStep.class);
    versionReader = connection.deserializer(AdapterVersion.class);
    for (String topic : TOPICS) {
      for (PartitionInfo partition : consumer.partitionsFor(topic)) {
        partitions.add(new TopicPartition(topic, partition.partition()));
      }
    }
    consumer.assign(partitions);
    consumer.seekToBeginning(partitions);
  }

  /** Reads the records that have arrived; waits for them at most that long. */
  public void poll(Duration wait) {
    for (ConsumerRecord<byte[], byte[]> record : consumer.poll(wait)) {
      committed++;
      switch (record.topic()) {
        case Topics.TRAINING_STEPS -> {
          TrainingStep step = stepReader.deserialize(record.topic(), record.value());
          totals.add(step);
          listener.took(step);
        }
        case Topics.ADAPTERS -> {
          if (record.value() != null) {
            AdapterVersion version = versionReader.deserialize(record.topic(), record.value());
            totals.add(version);
            listener.took(version);
          }
        }
        default -> totals.addDeadLetter(errorClass(record));
      }
    }
  }

  /** Reads all that is committed now. */
  public void readToEnd() {
    readTo(consumer.endOffsets(partitions), () -> poll(WAIT));
  }

  private void readTo(Map<TopicPartition, Long> ends, Runnable poll) {
    Set<TopicPartition> open = new HashSet<>(ends.keySet());
    while (true) {
      open.removeIf(partition -> consumer.position(partition) >= ends.get(partition));
      if (open.isEmpty()) {
        return;
      }
      poll.run();
    }
  }

  private static String errorClass(ConsumerRecord<byte[], byte[]> record) {
    Header header = record.headers().lastHeader(Topics.DEAD_LETTER_ERROR_CLASS);
    return header == null ? "unknown" : new String(header.value(), StandardCharsets.UTF_8);
  }

  /** By name. */
  public Map<String, DomainRecord> domains() {
    return totals.domains();
  }

  /** A sentence for each group of labels that differ by case or white space only; a few at most. */
  public List<String> similarLabels() {
    return totals.similarLabels();
  }

  /** Dead letters by error class. */
  public Map<String, Long> deadLetters() {
    return totals.deadLetters();
  }

  /** All dead letters. */
  public long letters() {
    return totals.deadLetters().values().stream().mapToLong(Long::longValue).sum();
  }

  /** Examples trained on. */
  public long examples() {
    return totals.examples();
  }

  /** How many records there are, of every kind. */
  public long committed() {
    return committed;
  }

  /** Examples whose label was predicted before they were trained on. */
  public long right() {
    return totals.right();
  }

  RunTotals totals() {
    return totals;
  }

  /** Accuracy by third of each domain's stream: reads the steps that were counted once more. */
  List<Double> thirds() {
    AccuracyByPart thirds = new AccuracyByPart(domains(), THIRDS);
    Map<TopicPartition, Long> positions = new HashMap<>();
    partitions.forEach(partition -> positions.put(partition, consumer.position(partition)));
    Map<TopicPartition, Long> steps = new HashMap<>(positions);
    steps.keySet().removeIf(partition -> !partition.topic().equals(Topics.TRAINING_STEPS));
    consumer.assign(steps.keySet());
    consumer.seekToBeginning(steps.keySet());
    readTo(
        steps,
        () ->
            consumer
                .poll(WAIT)
                .forEach(each -> thirds.add(stepReader.deserialize(each.topic(), each.value()))));
    consumer.assign(partitions);
    positions.forEach(consumer::seek);
    return List.of(thirds.of(0), thirds.of(1), thirds.of(2));
  }

  @Override
  public void close() {
    consumer.close();
  }
}
