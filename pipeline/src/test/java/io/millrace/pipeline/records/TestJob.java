package io.millrace.pipeline.records;

import io.millrace.client.kafka.Connection;
import io.millrace.client.kafka.DomainPartition;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.RolloutAction;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.Topics;
import io.millrace.schemas.VersionRef;
import java.nio.charset.StandardCharsets;
import java.util.Properties;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serializer;

/** Publishes versions as the job does: each with its event in one transaction. */
public final class TestJob implements AutoCloseable {
  private final Serializer<Object> serializer;
  private final KafkaProducer<byte[], byte[]> producer;

  /** A job with a name of its own. */
  public TestJob(Connection connection, String name) {
    serializer = connection.serializer();
    Properties properties = connection.properties();
    properties.put("transactional.id", name);
    properties.put("transaction.timeout.ms", "900000");
    properties.put("linger.ms", "0");
    producer =
        new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer());
    producer.initTransactions();
  }

  /** Publishes one version. */
  public void publish(AdapterVersion version) {
    begin(version);
    end(true);
  }

  /** Writes a version and leaves its transaction open, as a job that is killed then. */
  public void begin(AdapterVersion version) {
    producer.beginTransaction();
    send(Topics.ADAPTERS, version, version);
    VersionRef ref = new VersionRef(version.getVersion(), version.getSha256());
    RolloutEvent event =
        RolloutEvent.newBuilder()
            .setEventId(version.getDomain() + "@" + version.getVersion() + " " + ref.getSha256())
            .setDomain(version.getDomain())
            .setAction(RolloutAction.PUBLISHED)
            .setVersion(ref)
            .setAuthor("job")
            .setCreatedAt(version.getCreatedAt())
            .build();
    send(Topics.ROLLOUTS, version, event);
    producer.flush();
  }

  /** Ends the open transaction. */
  public void end(boolean committed) {
    if (committed) {
      producer.commitTransaction();
    } else {
      producer.abortTransaction();
    }
  }

  /** Takes a version out of the topic. */
  public void prune(AdapterVersion version) {
    producer.beginTransaction();
    send(Topics.ADAPTERS, version, null);
    producer.commitTransaction();
  }

  private void send(String topic, AdapterVersion version, Object value) {
    byte[] domain = version.getDomain().getBytes(StandardCharsets.UTF_8);
    byte[] key =
        topic.equals(Topics.ADAPTERS)
            ? Topics.adapterKey(version.getDomain(), version.getVersion())
            : domain;
    int partition = DomainPartition.of(domain, producer.partitionsFor(topic).size());
    producer.send(
        new ProducerRecord<>(
            topic, partition, key, value == null ? null : serializer.serialize(topic, value)));
  }

  @Override
  public void close() {
    producer.close();
  }
}
