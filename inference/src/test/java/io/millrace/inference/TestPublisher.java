package io.millrace.inference;

import io.millrace.client.kafka.Connection;
import io.millrace.client.settings.Settings;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.Topics;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.common.utils.Utils;

/** Publishes as the job does: in transactions, partitioned by domain. */
public final class TestPublisher implements AutoCloseable {
  private final KafkaProducer<byte[], byte[]> producer;
  private final Serializer<Object> serializer;
  private final int partitions;

  public TestPublisher(Settings settings, int partitions) {
    Connection connection = new Connection(settings);
    Properties properties = connection.properties();
    properties.put("transactional.id", "publisher-" + System.nanoTime());
    this.producer =
        new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer());
    this.serializer = connection.serializer();
    this.partitions = partitions;
    producer.initTransactions();
  }

  void publish(AdapterVersion... versions) {
    publish(Arrays.asList(versions));
  }

  public void publish(List<AdapterVersion> versions) {
    producer.beginTransaction();
    for (AdapterVersion version : versions) {
      byte[] value = serializer.serialize(Topics.ADAPTERS, version);
      send(version.getDomain(), version.getVersion(), value);
    }
    producer.commitTransaction();
  }

  /** With the events that say so, in the same transaction. */
  void publishWithEvents(List<AdapterVersion> versions) {
    producer.beginTransaction();
    for (AdapterVersion version : versions) {
      send(
          version.getDomain(),
          version.getVersion(),
          serializer.serialize(Topics.ADAPTERS, version));
      producer.send(TestDecisions.record(serializer, TestDecisions.published(version)));
    }
    producer.commitTransaction();
  }

  /** As a job does that is killed before it commits: the transaction stays open. */
  void publishWithEventAndDie(AdapterVersion version) {
    producer.beginTransaction();
    send(version.getDomain(), version.getVersion(), serializer.serialize(Topics.ADAPTERS, version));
    producer.send(TestDecisions.record(serializer, TestDecisions.published(version)));
    producer.flush();
  }

  void publishAndAbort(AdapterVersion version) {
    producer.beginTransaction();
    send(version.getDomain(), version.getVersion(), serializer.serialize(Topics.ADAPTERS, version));
    producer.flush();
    producer.abortTransaction();
  }

  /** Anything at all under a version's key; null is a tombstone. */
  public void publish(String domain, long version, byte[] value) {
    producer.beginTransaction();
    send(domain, version, value);
    producer.commitTransaction();
  }

  private void send(String domain, long version, byte[] value) {
    int hash = Utils.murmur2(domain.getBytes(StandardCharsets.UTF_8));
    producer.send(
        new ProducerRecord<>(
            Topics.ADAPTERS,
            Utils.toPositive(hash) % partitions,
            Topics.adapterKey(domain, version),
            value));
  }

  @Override
  public void close() {
    // A transaction that is left open stays so.
    producer.close(Duration.ZERO);
  }
}
