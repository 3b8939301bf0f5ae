package io.millrace.benchmarks.serving;

import io.millrace.client.kafka.Connection;
import io.millrace.client.kafka.DomainPartition;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.RolloutAction;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.Topics;
import io.millrace.schemas.VersionRef;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.List;
import java.util.Properties;
import java.util.UUID;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serializer;

/** Publishes versions as the job does: version and event in one transaction. */
final class VersionPublisher implements AutoCloseable {
  private final KafkaProducer<byte[], byte[]> producer;
  private final Serializer<Object> serializer;

  VersionPublisher(Connection connection) {
    Properties properties = connection.properties();
    properties.put(ProducerConfig.TRANSACTIONAL_ID_CONFIG, "benchmark-" + UUID.randomUUID());
    this.producer =
        new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer());
    this.serializer = connection.serializer();
    producer.initTransactions();
  }

  /** Returns when the transaction has committed. */
  void publish(AdapterVersion version) {
    publish(List.of(version));
  }

  /** In one transaction; returns when it has committed. */
  void publish(List<AdapterVersion> versions) {
    producer.beginTransaction();
    versions.forEach(this::send);
    producer.commitTransaction();
  }

  private void send(AdapterVersion version) {
    String domain = version.getDomain();
    byte[] key = domain.getBytes(StandardCharsets.UTF_8);
    int partitions = producer.partitionsFor(Topics.ADAPTERS).size();
    RolloutEvent event =
        RolloutEvent.newBuilder()
            .setEventId(UUID.randomUUID().toString())
            .setDomain(domain)
            .setAction(RolloutAction.PUBLISHED)
            .setVersion(new VersionRef(version.getVersion(), version.getSha256()))
            .setAuthor("benchmark")
            .setCreatedAt(Instant.now())
            .build();
    producer.send(
        new ProducerRecord<>(
            Topics.ADAPTERS,
            DomainPartition.of(key, partitions),
            Topics.adapterKey(domain, version.getVersion()),
            serializer.serialize(Topics.ADAPTERS, version)));
    producer.send(
        new ProducerRecord<>(Topics.ROLLOUTS, key, serializer.serialize(Topics.ROLLOUTS, event)));
  }

  @Override
  public void close() {
    producer.close();
  }
}
