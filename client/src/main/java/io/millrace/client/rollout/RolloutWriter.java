package io.millrace.client.rollout;

import io.millrace.client.kafka.Connection;
import io.millrace.client.kafka.RegistryUnavailableException;
import io.millrace.client.kafka.TraceContext;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.Topics;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.CompletableFuture;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serializer;

/**
 * Appends decisions to the topic {@code rollouts}, in no transaction: an open transaction of
 * another producer does not hide them from readers of uncommitted records. Any thread may append.
 */
public final class RolloutWriter implements AutoCloseable {
  private static final Duration PATIENCE = Duration.ofSeconds(20);

  private final Serializer<Object> serializer;
  private final KafkaProducer<byte[], byte[]> producer;

  public RolloutWriter(Connection connection) {
    this.serializer = connection.serializer();
    Properties properties = connection.properties();
    properties.put(ProducerConfig.ACKS_CONFIG, "all");
    properties.put(ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, true);
    properties.put(ProducerConfig.LINGER_MS_CONFIG, 0);
    properties.put(ProducerConfig.MAX_BLOCK_MS_CONFIG, (int) PATIENCE.toMillis());
    properties.put(ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG, (int) PATIENCE.toMillis());
    properties.put(ProducerConfig.REQUEST_TIMEOUT_MS_CONFIG, (int) PATIENCE.toMillis() / 2);
    this.producer =
        new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer());
  }

  /**
   * Appends one event. May block while it waits for Kafka's metadata or the registry.
   *
   * @return completes when all in-sync replicas have it; fails with Kafka's exception
   * @throws RegistryUnavailableException where the registry does not answer
   */
  public CompletableFuture<RecordMetadata> append(RolloutEvent event) {
    return append(event, TraceContext.NONE);
  }

  /** As {@link #append(RolloutEvent)}, for a request that may belong to a trace. */
  public CompletableFuture<RecordMetadata> append(RolloutEvent event, TraceContext trace) {
    CompletableFuture<RecordMetadata> done = new CompletableFuture<>();
    byte[] key = event.getDomain().getBytes(StandardCharsets.UTF_8);
    byte[] value = serializer.serialize(Topics.ROLLOUTS, event);
    ProducerRecord<byte[], byte[]> record = new ProducerRecord<>(Topics.ROLLOUTS, key, value);
    trace.addTo(record.headers());
    producer.send(
        record,
        (metadata, failure) -> {
          if (failure == null) {
            done.complete(metadata);
          } else {
            done.completeExceptionally(failure);
          }
        });
    return done;
  }

  @Override
  public void close() {
    producer.close(PATIENCE);
  }
}
