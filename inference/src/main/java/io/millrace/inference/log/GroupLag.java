package io.millrace.inference.log;

import io.millrace.client.kafka.Connection;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListOffsetsResult.ListOffsetsResultInfo;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * How many records of a topic a consumer group has still to read, by the offsets that it committed.
 * It asks every few seconds on a thread of its own.
 */
public final class GroupLag {
  private static final Logger LOG = LoggerFactory.getLogger(GroupLag.class);
  private static final Duration INTERVAL = Duration.ofSeconds(5);
  private static final Duration ANSWER_TIMEOUT = Duration.ofSeconds(5);

  /** Two minutes of them. */
  private static final int SAMPLES = 24;

  /** What is less changes from one checkpoint to the next. */
  private static final long NOTABLE = 500;

  /**
   * @param records still to be read
   * @param growing whether they became more and more in the last two minutes
   */
  public record Lag(long records, boolean growing) {}

  private final Connection connection;
  private final String topic;
  private final String group;
  private final Deque<Long> samples = new ArrayDeque<>();
  private final CountDownLatch closing = new CountDownLatch(1);
  private final Thread thread;
  private volatile Lag latest;

  public GroupLag(Connection connection, String topic, String group) {
    this.connection = connection;
    this.topic = topic;
    this.group = group;
    this.thread = new Thread(this::run, "lag");
    thread.setDaemon(true);
  }

  public void start() {
    thread.start();
  }

  /** The last answer; empty where Kafka gives none, or the group has committed nothing. */
  public Optional<Lag> latest() {
    return Optional.ofNullable(latest);
  }

  private void run() {
    try {
      while (!closing.await(0, TimeUnit.SECONDS)) {
        ask();
      }
    } catch (InterruptedException e) {
      // Only beginClose() interrupts.
    }
  }

  private void ask() throws InterruptedException {
    try (Admin admin = Admin.create(connection.properties())) {
      do {
        latest = sample(admin);
      } while (!closing.await(INTERVAL.toMillis(), TimeUnit.MILLISECONDS));
    } catch (ExecutionException | TimeoutException | KafkaException e) {
      LOG.debug("the lag of {} is unknown", group, e);
      latest = null;
      // The next ones are not those of two minutes in a row.
      samples.clear();
      closing.await(INTERVAL.toMillis(), TimeUnit.MILLISECONDS);
    }
  }

  private Lag sample(Admin admin)
      throws InterruptedException, ExecutionException, TimeoutException {
    Map<TopicPartition, OffsetAndMetadata> committed =
        admin
            .listConsumerGroupOffsets(group)
            .partitionsToOffsetAndMetadata()
            .get(ANSWER_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
    Map<TopicPartition, OffsetSpec> asked = new HashMap<>();
    committed.forEach(
        (partition, offset) -> {
          if (partition.topic().equals(topic) && offset != null) {
            asked.put(partition, OffsetSpec.latest());
          }
        });
    if (asked.isEmpty()) {
      return null;
    }
    Map<TopicPartition, ListOffsetsResultInfo> ends =
        admin.listOffsets(asked).all().get(ANSWER_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
    long records = 0;
    for (Map.Entry<TopicPartition, ListOffsetsResultInfo> end : ends.entrySet()) {
      records += Math.max(0, end.getValue().offset() - committed.get(end.getKey()).offset());
    }
    if (samples.size() == SAMPLES) {
      samples.removeFirst();
    }
    samples.addLast(records);
    return new Lag(records, isGrowing());
  }

  /** Whether the least of the newer half is notably more than the most of the older half. */
  private boolean isGrowing() {
    if (samples.size() < SAMPLES) {
      return false;
    }
    long older = 0;
    long newer = Long.MAX_VALUE;
    int i = 0;
    for (long sample : samples) {
      if (i++ < SAMPLES / 2) {
        older = Math.max(older, sample);
      } else {
        newer = Math.min(newer, sample);
      }
    }
    return newer > older + NOTABLE;
  }

  /** Asks no more. */
  public void beginClose() {
    closing.countDown();
    thread.interrupt();
  }
}
