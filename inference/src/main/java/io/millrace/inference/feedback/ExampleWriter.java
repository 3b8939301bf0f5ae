package io.millrace.inference.feedback;

import io.millrace.client.kafka.Connection;
import io.millrace.client.kafka.TraceContext;
import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.Topics;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.CompletableFuture;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serializer;

/** Appends examples to {@code labeled-examples}. Confined to one thread. */
final class ExampleWriter implements AutoCloseable {
  private static final Duration MAX_BLOCK = Duration.ofSeconds(5);
  static final Duration DELIVERY = Duration.ofSeconds(30);

  private final Serializer<Object> serializer;
  private final KafkaProducer<byte[], byte[]> producer;

  ExampleWriter(Connection connection) {
    this.serializer = connection.serializer();
    Properties properties = connection.properties();
    properties.putIfAbsent(ProducerConfig.CLIENT_ID_CONFIG, "millrace-serve");
    properties.put(ProducerConfig.ACKS_CONFIG, "all");
    properties.put(ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, true);
    properties.put(ProducerConfig.LINGER_MS_CONFIG, 0);
    properties.put(ProducerConfig.MAX_BLOCK_MS_CONFIG, (int) MAX_BLOCK.toMillis());
    properties.put(ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG, (int) DELIVERY.toMillis());
    properties.put(ProducerConfig.REQUEST_TIMEOUT_MS_CONFIG, (int) DELIVERY.toMillis() / 3);
    this.producer =
        new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer());
  }

  /**
   * Appends an example. May block for seconds while Kafka's metadata or the registry is missing.
   *
   * @param trace the trace of the request that gave the label
   * @return completes with its partition and offset when all in-sync replicas have it; fails with
   *     Kafka's exception
   * @throws io.millrace.client.kafka.RegistryUnavailableException where the registry does not
   *     answer
   */
  CompletableFuture<ServedRequest.Example> append(LabeledExample example, TraceContext trace) {
    CompletableFuture<ServedRequest.Example> done = new CompletableFuture<>();
    ProducerRecord<byte[], byte[]> record =
        new ProducerRecord<>(
            Topics.LABELED_EXAMPLES,
            example.getDomain().getBytes(StandardCharsets.UTF_8),
            serializer.serialize(Topics.LABELED_EXAMPLES, example));
    trace.addTo(record.headers());
    producer.send(
        record,
        (metadata, failure) -> {
          if (failure == null) {
            done.complete(
                new ServedRequest.Example(
                    example.getLabel(), metadata.partition(), metadata.offset()));
          } else {
            done.completeExceptionally(failure);
          }
        });
    return done;
  }

  @Override
  public void close() {
    producer.close(Duration.ZERO);
  }
}
