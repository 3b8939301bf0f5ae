package io.millrace.pipeline.records;

import io.millrace.client.kafka.Connection;
import io.millrace.client.process.UsageException;
import io.millrace.client.rollout.RolloutWriter;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.Topics;
import io.millrace.schemas.VersionRef;
import io.millrace.schemas.rollout.RolloutDecisions;
import io.millrace.schemas.rollout.RolloutHistory;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.NavigableMap;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;

/** The rollout of one domain as Kafka holds it, and a decision on top of it. For one thread. */
public final class DomainRollout implements AutoCloseable {
  private static final Duration COMES_BACK_WITHIN = Duration.ofSeconds(10);

  private final Connection connection;
  private final String domain;
  private final RolloutLog log;
  private final NavigableMap<Long, VersionRef> versions;

  private DomainRollout(
      Connection connection,
      String domain,
      RolloutLog log,
      NavigableMap<Long, VersionRef> versions) {
    this.connection = connection;
    this.domain = domain;
    this.log = log;
    this.versions = versions;
  }

  /**
   * Reads it.
   *
   * @param cache the directory where commands leave for each other what they have read
   * @throws UsageException where a topic is missing
   * @throws IllegalStateException where Kafka does not answer
   */
  public static DomainRollout open(Connection connection, String domain, Path cache) {
    // Both topics at once: a rollback must be fast.
    CompletableFuture<KnownVersions> reading =
        CompletableFuture.supplyAsync(() -> KnownVersions.read(connection, domain));
    RolloutLog log = RolloutLog.cached(connection, domain, cache);
    try {
      log.readOn();
      NavigableMap<Long, VersionRef> versions = join(reading).of(domain);
      return new DomainRollout(connection, domain, log, versions);
    } catch (RuntimeException e) {
      log.close();
      throw e;
    }
  }

  private static KnownVersions join(CompletableFuture<KnownVersions> reading) {
    try {
      return reading.join();
    } catch (CompletionException e) {
      throw e.getCause() instanceof RuntimeException cause ? cause : e;
    }
  }

  /** Domains that have an event or a version, by name. */
  public static Set<String> domains(Connection connection) {
    Set<String> domains = new TreeSet<>(KnownVersions.read(connection, null).domains());
    try (RolloutLog all = new RolloutLog(connection, null)) {
      all.readOn();
      domains.addAll(all.domains());
    }
    return domains;
  }

  /** Whether it has an event or a version. */
  public boolean isKnown() {
    return !versions.isEmpty() || log.domains().contains(domain);
  }

  /** All that was read of it. */
  public RolloutHistory history() {
    return log.history(domain);
  }

  /** Records of its partition that are left out: their place, and the reason. */
  public List<String> unreadable() {
    return log.unreadable();
  }

  /** Its versions that are published and not pruned, by number. */
  public NavigableMap<Long, VersionRef> versions() {
    return versions;
  }

  /** Makes decisions on top of the state that was read. */
  public RolloutDecisions decisions(String author, String reason) {
    return new RolloutDecisions(history().now(), versions, author, reason);
  }

  /**
   * Appends a decision, and reads on until the log returns it.
   *
   * @return the decision in the log; with an objection if it has no effect because another decision
   *     came first
   * @throws IllegalStateException where Kafka does not take it, or does not give it back
   */
  public RolloutHistory.Entry append(RolloutEvent event) {
    try (RolloutWriter writer = new RolloutWriter(connection)) {
      writer.append(event).get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw uncertain("interrupted", e);
    } catch (ExecutionException e) {
      throw uncertain("Kafka did not confirm it", e.getCause());
    }
    if (!log.readUntil(event.getEventId(), COMES_BACK_WITHIN)) {
      throw uncertain(
          "it was appended, and did not come back within " + COMES_BACK_WITHIN.toSeconds() + " s",
          null);
    }
    return history().find(event.getEventId()).orElseThrow();
  }

  private IllegalStateException uncertain(String what, Throwable cause) {
    return new IllegalStateException(
        "whether the decision counts is not known, millrace rollout history will say; %s, topic %s at %s"
            .formatted(what, Topics.ROLLOUTS, connection.bootstrapServers()),
        cause);
  }

  @Override
  public void close() {
    log.close();
  }
}
