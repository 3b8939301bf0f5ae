package io.millrace.inference;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.millrace.client.kafka.Connection;
import io.millrace.client.kafka.DomainPartition;
import io.millrace.client.settings.Settings;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.RolloutAction;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.Topics;
import io.millrace.schemas.VersionRef;
import io.millrace.schemas.rollout.Rollout;
import io.millrace.schemas.rollout.RolloutDecisions;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import java.util.UUID;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serializer;

/** Appends decisions as people do, in no transaction, and folds what it and the job appended. */
public final class TestDecisions implements AutoCloseable {
  private final KafkaProducer<byte[], byte[]> producer;
  private final Serializer<Object> serializer;
  private final Map<String, Rollout> states = new HashMap<>();
  private final Map<String, NavigableMap<Long, VersionRef>> versions = new HashMap<>();

  TestDecisions(Settings settings) {
    Connection connection = new Connection(settings);
    this.producer =
        new KafkaProducer<>(
            connection.properties(), new ByteArraySerializer(), new ByteArraySerializer());
    this.serializer = connection.serializer();
  }

  /** What is decided, on top of a state and of the versions there are. */
  public interface Decision {
    RolloutEvent make(RolloutDecisions decisions) throws Exception;
  }

  /** Appends a decision and waits until Kafka has it. */
  RolloutEvent decide(String domain, Decision decision) throws Exception {
    RolloutEvent event = make(domain, decision);
    append(event);
    return event;
  }

  /** Makes a decision and keeps it. */
  RolloutEvent make(String domain, Decision decision) throws Exception {
    return decision.make(
        new RolloutDecisions(
            state(domain), versions.getOrDefault(domain, new TreeMap<>()), "tester", "why"));
  }

  /** Appends an event and folds it. */
  void append(RolloutEvent event) throws Exception {
    producer.send(record(serializer, event)).get();
    fold(event);
  }

  /** Takes in a decision that another one appended. */
  void fold(RolloutEvent event) {
    states.put(event.getDomain(), state(event.getDomain()).apply(event));
  }

  /** Appends an event where no reader looks for one of its domain; so it is not folded here. */
  void appendAstray(RolloutEvent event, int partitions) throws Exception {
    int astray = (DomainPartition.of(event.getDomain(), partitions) + 1) % partitions;
    ProducerRecord<byte[], byte[]> record = record(serializer, event);
    producer.send(new ProducerRecord<>(record.topic(), astray, record.key(), record.value())).get();
  }

  static ProducerRecord<byte[], byte[]> record(Serializer<Object> serializer, RolloutEvent event) {
    return new ProducerRecord<>(
        Topics.ROLLOUTS,
        event.getDomain().getBytes(UTF_8),
        serializer.serialize(Topics.ROLLOUTS, event));
  }

  /** The event that the job publishes with a version. */
  public static RolloutEvent published(AdapterVersion version) {
    return RolloutEvent.newBuilder()
        .setEventId(UUID.randomUUID().toString())
        .setDomain(version.getDomain())
        .setAction(RolloutAction.PUBLISHED)
        .setVersion(ref(version))
        .setAuthor("job")
        .setReason("")
        .setCreatedAt(Instant.now())
        .build();
  }

  public static VersionRef ref(AdapterVersion version) {
    return new VersionRef(version.getVersion(), version.getSha256());
  }

  /** Takes in what was published. */
  void published(List<AdapterVersion> published) {
    for (AdapterVersion version : published) {
      String domain = version.getDomain();
      states.put(domain, state(domain).apply(published(version)));
      versions
          .computeIfAbsent(domain, d -> new TreeMap<>())
          .put(version.getVersion(), ref(version));
    }
  }

  /** The fold of everything appended. */
  Rollout state(String domain) {
    return states.getOrDefault(domain, Rollout.initial(domain));
  }

  @Override
  public void close() {
    producer.close();
  }
}
