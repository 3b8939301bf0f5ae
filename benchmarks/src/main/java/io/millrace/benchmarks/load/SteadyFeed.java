package io.millrace.benchmarks.load;

import io.millrace.client.kafka.Connection;
import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.Topics;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.NavigableMap;
import java.util.Properties;
import java.util.concurrent.ConcurrentSkipListMap;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serializer;

/** Sends examples at a steady rate, whatever becomes of them. */
public final class SteadyFeed implements Runnable, AutoCloseable {
  private final List<LabeledExample> examples;
  private final double perSecond;
  private final Serializer<Object> serializer;
  private final KafkaProducer<byte[], byte[]> producer;
  private final NavigableMap<Long, Long> appendedAt = new ConcurrentSkipListMap<>();
  private volatile Exception failure;

  /**
   * @param examples sent over and over
   */
  public SteadyFeed(Connection connection, List<LabeledExample> examples, double perSecond) {
    this.examples = examples;
    this.perSecond = perSecond;
    this.serializer = connection.serializer();
    Properties properties = connection.properties();
    properties.put(ProducerConfig.ACKS_CONFIG, "all");
    properties.put(ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, "true");
    properties.put(ProducerConfig.LINGER_MS_CONFIG, "0");
    this.producer =
        new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer());
  }

  /** Until the thread is interrupted. */
  @Override
  public void run() {
    run(Long.MAX_VALUE);
  }

  /** Until so many are sent, or the thread is interrupted. */
  public void run(long count) {
    long start = System.nanoTime();
    try {
      for (long i = 0; i < count && !Thread.currentThread().isInterrupted(); i++) {
        long wait = start + (long) (i * 1e9 / perSecond) - System.nanoTime();
        if (wait > 0) {
          Thread.sleep(wait / 1_000_000, (int) (wait % 1_000_000));
        }
        send(examples.get((int) (i % examples.size())));
      }
    } catch (InterruptedException | org.apache.kafka.common.errors.InterruptException e) {
      Thread.currentThread().interrupt();
    } catch (RuntimeException e) {
      failure = e;
    }
  }

  private void send(LabeledExample example) {
    byte[] key = example.getDomain().getBytes(StandardCharsets.UTF_8);
    byte[] value = serializer.serialize(Topics.LABELED_EXAMPLES, example);
    producer.send(
        new ProducerRecord<>(Topics.LABELED_EXAMPLES, key, value),
        (metadata, e) -> {
          if (e == null) {
            appendedAt.put(metadata.offset(), metadata.timestamp());
          } else {
            failure = e;
          }
        });
  }

  /**
   * Offset of each example in its partition, and when Kafka appended it, in ms of the epoch; for
   * examples of one domain, which share a partition.
   */
  public NavigableMap<Long, Long> appendedAt() {
    return appendedAt;
  }

  /**
   * @throws IllegalStateException where an example could not be sent
   */
  public void requireSound() {
    if (failure != null) {
      throw new IllegalStateException("the feed failed: " + failure.getMessage(), failure);
    }
  }

  @Override
  public void close() {
    producer.close(Duration.ofSeconds(5));
  }
}
