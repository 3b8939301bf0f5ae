package io.millrace.pipeline.report;

import io.millrace.client.kafka.Connection;
import io.millrace.operators.gate.SimilarLabels;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.Topics;
import io.millrace.schemas.TrainingStep;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
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
 */
public final class RunRecord implements AutoCloseable {
  private static final List<String> TOPICS =
      List.of(Topics.TRAINING_STEPS, Topics.ADAPTERS, Topics.DEAD_LETTERS);

  private static final int MOST_SENTENCES = 10;

  private final KafkaConsumer<byte[], byte[]> consumer;
  private final Deserializer<TrainingStep> stepReader;
  private final Deserializer<AdapterVersion> versionReader;
  private final List<TopicPartition> partitions = new ArrayList<>();
  private final Map<String, DomainRecord> domains = new TreeMap<>();
  private final Map<String, Long> deadLetters = new TreeMap<>();
  private long committed;
  private long examples;
  private long right;

  /** Opens the topics; nothing is read yet. */
  public RunRecord(Connection connection) {
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
          domain(step.getDomain()).add(step);
          examples += step.getCorrect().size();
          right += step.getCorrect().stream().filter(correct -> correct).count();
        }
        case Topics.ADAPTERS -> {
          if (record.value() != null) {
            AdapterVersion version = versionReader.deserialize(record.topic(), record.value());
            domain(version.getDomain()).add(version);
          }
        }
        default -> deadLetters.merge(errorClass(record), 1L, Long::sum);
      }
    }
  }

  /** Reads all that is committed now. */
  public void readToEnd() {
    Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
    Set<TopicPartition> open = new HashSet<>(partitions);
    while (true) {
      open.removeIf(partition -> consumer.position(partition) >= ends.get(partition));
      if (open.isEmpty()) {
        return;
      }
      poll(Duration.ofMillis(100));
    }
  }

  private DomainRecord domain(String name) {
    return domains.computeIfAbsent(name, DomainRecord::new);
  }

  private static String errorClass(ConsumerRecord<byte[], byte[]> record) {
    Header header = record.headers().lastHeader(Topics.DEAD_LETTER_ERROR_CLASS);
    return header == null ? "unknown" : new String(header.value(), StandardCharsets.UTF_8);
  }

  /** By name. */
  public Map<String, DomainRecord> domains() {
    return domains;
  }

  /** A sentence for each group of labels that differ by case or white space only; a few at most. */
  public List<String> similarLabels() {
    return domains.entrySet().stream()
        .flatMap(
            domain ->
                SimilarLabels.among(domain.getValue().labels()).stream()
                    .map(group -> SimilarLabels.say(domain.getKey(), group)))
        .limit(MOST_SENTENCES)
        .toList();
  }

  /** Dead letters by error class. */
  public Map<String, Long> deadLetters() {
    return deadLetters;
  }

  /** All dead letters. */
  public long letters() {
    return deadLetters.values().stream().mapToLong(Long::longValue).sum();
  }

  /** Examples trained on. */
  public long examples() {
    return examples;
  }

  /** How many records there are, of every kind. */
  public long committed() {
    return committed;
  }

  /** Examples whose label was predicted before they were trained on. */
  public long right() {
    return right;
  }

  @Override
  public void close() {
    consumer.close();
  }
}
