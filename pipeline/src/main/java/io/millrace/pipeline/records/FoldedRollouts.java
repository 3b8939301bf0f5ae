package io.millrace.pipeline.records;

import io.millrace.client.kafka.Connection;
import io.millrace.client.kafka.UnreadableRecordException;
import io.millrace.client.rollout.RolloutKind;
import io.millrace.client.rollout.RolloutReading;
import io.millrace.client.rollout.RolloutReading.Counts;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.Topics;
import io.millrace.schemas.rollout.Rollout;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.serialization.Deserializer;

/**
 * The state of every rollout, as the topic {@code rollouts} gives it, and no more of its history: a
 * few hundred bytes a domain. {@link RolloutLog} keeps the history. For one thread.
 */
public final class FoldedRollouts implements AutoCloseable {
  private final TopicTail decisions;
  private final TopicTail publications;
  private final Deserializer<RolloutEvent> reader;
  private final Map<String, Rollout> domains = new HashMap<>();

  /**
   * Connects; nothing is read yet.
   *
   * @throws io.millrace.client.process.UsageException where there is no such topic
   * @throws IllegalStateException where Kafka does not answer
   */
  public FoldedRollouts(Connection connection) {
    reader = connection.deserializer(RolloutEvent.class);
    decisions = tail(connection, RolloutKind.DECISIONS);
    try {
      publications = tail(connection, RolloutKind.PUBLICATIONS);
    } catch (RuntimeException e) {
      decisions.close();
      throw e;
    }
  }

  private static TopicTail tail(Connection connection, RolloutKind kind) {
    return new TopicTail(connection, Topics.ROLLOUTS, kind.isolation(), null);
  }

  /**
   * Reads on to the end that there is now.
   *
   * @return the domains whose state has changed
   */
  public Set<String> readOn() {
    Set<String> changed = new TreeSet<>();
    RolloutReading ofDecisions =
        new RolloutReading(RolloutKind.DECISIONS, decisions.partitionCount());
    decisions.readOn(record -> apply(ofDecisions, record, changed));
    RolloutReading ofPublications =
        new RolloutReading(RolloutKind.PUBLICATIONS, publications.partitionCount());
    publications.readOn(record -> apply(ofPublications, record, changed));
    return changed;
  }

  private void apply(
      RolloutReading reading, ConsumerRecord<byte[], byte[]> record, Set<String> changed) {
    RolloutEvent event;
    try {
      event = reader.deserialize(record.topic(), record.value());
    } catch (UnreadableRecordException e) {
      // Without effect for any reader.
      return;
    }
    if (reading.read(record.partition(), event) instanceof Counts counts) {
      String domain = counts.event().getDomain();
      Rollout before = of(domain);
      Rollout now = before.apply(counts.event());
      if (now != before) {
        domains.put(domain, now);
        changed.add(domain);
      }
    }
  }

  /** The state of a domain's rollout. */
  public Rollout of(String domain) {
    return domains.getOrDefault(domain, Rollout.initial(domain));
  }

  @Override
  public void close() {
    decisions.close();
    publications.close();
  }
}
