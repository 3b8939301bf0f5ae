package io.millrace.pipeline.replay;

import io.millrace.client.kafka.Connection;
import io.millrace.client.process.UsageException;
import io.millrace.pipeline.records.AdapterLog;
import io.millrace.pipeline.records.CommittedTopic;
import io.millrace.pipeline.records.LoggedVersion;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.Topics;
import io.millrace.schemas.TrainingSnapshot;
import io.millrace.schemas.TrainingStep;
import io.millrace.schemas.VersionRef;
import io.millrace.schemas.signing.PayloadHash;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Predicate;
import org.apache.kafka.common.serialization.Deserializer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Reads the record of a training: steps, versions and snapshots. */
public final class TrainingLog {
  private static final Logger LOG = LoggerFactory.getLogger(TrainingLog.class);

  private final Connection connection;
  private final Predicate<String> wanted;
  private final SortedMap<String, DomainHistory> domains = new TreeMap<>();

  private TrainingLog(Connection connection, Predicate<String> wanted) {
    this.connection = connection;
    this.wanted = wanted;
  }

  /**
   * Reads what is committed now.
   *
   * @param wanted the domains to read of
   * @throws UsageException where a topic is missing
   * @throws IllegalStateException where the record has gaps
   */
  public static TrainingLog read(Connection connection, Predicate<String> wanted) {
    TrainingLog log = new TrainingLog(connection, wanted);
    log.readVersions();
    log.findStarts();
    log.readSteps();
    log.readSnapshots();
    return log;
  }

  /** Histories by the domains' names. */
  public SortedMap<String, DomainHistory> domains() {
    return domains;
  }

  private DomainHistory history(String domain) {
    return domains.computeIfAbsent(domain, DomainHistory::new);
  }

  private void readVersions() {
    try (AdapterLog<AdapterVersion> log = AdapterLog.open(connection)) {
      log.forEach(
          logged -> {
            if (!logged.domain().isEmpty() && wanted.test(logged.domain())) {
              add(logged);
            }
          });
    }
  }

  private void add(LoggedVersion<AdapterVersion> logged) {
    if (logged.content() instanceof LoggedVersion.Unreadable<AdapterVersion> broken) {
      throw new IllegalStateException(
          "%s: version %d of %s cannot be read: %s"
              .formatted(logged.place(), logged.version(), logged.domain(), broken.why()));
    }
    DomainHistory history = history(logged.domain());
    if (logged.published().isEmpty()) {
      history.remove(logged.version());
      return;
    }
    AdapterVersion record = logged.published().get();
    PayloadHash hash = PayloadHash.of(record);
    record.setPayload(ByteBuffer.allocate(0));
    history.add(new DomainHistory.Version(record, hash));
  }

  /** Finds the versions that domains started from: those of domains that may not be wanted. */
  private void findStarts() {
    Set<String> above = new HashSet<>();
    for (DomainHistory history : domains.values()) {
      history.startedFrom().ifPresent(version -> above.add(version.getDomain()));
    }
    if (above.isEmpty()) {
      return;
    }
    // By domain and number; of one number, by hash: a domain that was started anew has several.
    Map<String, Map<String, DomainHistory.StartPlace>> places = new HashMap<>();
    try (AdapterLog<VersionRef> log = AdapterLog.openRefs(connection)) {
      log.forEach(
          logged -> {
            if (!above.contains(logged.domain())) {
              return;
            }
            String version = logged.domain() + "@" + logged.version();
            if (logged.content() instanceof LoggedVersion.Pruned) {
              places.remove(version);
            }
            logged
                .published()
                .ifPresent(
                    ref ->
                        places
                            .computeIfAbsent(version, none -> new HashMap<>())
                            .put(
                                ref.getSha256(),
                                new DomainHistory.StartPlace(logged.partition(), logged.offset())));
          });
    }
    for (DomainHistory history : domains.values()) {
      history
          .startedFrom()
          .map(
              from ->
                  places
                      .getOrDefault(from.getDomain() + "@" + from.getVersion(), Map.of())
                      .get(from.getSha256()))
          .ifPresent(history::add);
    }
  }

  /**
   * The version that a domain's first step began with.
   *
   * @param history one that has such a version, in the topic
   * @throws IllegalStateException where it is gone since
   */
  AdapterVersion start(DomainHistory history) {
    DomainHistory.StartPlace place = history.start().orElseThrow();
    try (AdapterLog<AdapterVersion> log = AdapterLog.open(connection)) {
      return log.at(place.partition(), place.offset())
          .published()
          .orElseThrow(
              () ->
                  new IllegalStateException(
                      "the version that %s started from cannot be read; try again"
                          .formatted(history.domain())));
    }
  }

  private void readSteps() {
    Deserializer<TrainingStep> reader = connection.deserializer(TrainingStep.class);
    try (CommittedTopic topic = new CommittedTopic(connection, Topics.TRAINING_STEPS)) {
      topic.forEach(
          record -> {
            // By its key, so that other domains' records need not be decoded.
            String domain = new String(record.key(), StandardCharsets.UTF_8);
            if (wanted.test(domain)) {
              history(domain).add(reader.deserialize(record.topic(), record.value()));
            }
          });
    }
  }

  private void readSnapshots() {
    Deserializer<TrainingSnapshot> reader = connection.deserializer(TrainingSnapshot.class);
    try (CommittedTopic topic = new CommittedTopic(connection, Topics.TRAINING_SNAPSHOTS)) {
      topic.forEach(
          record -> {
            String domain = Topics.domainOfAdapterKey(record.key());
            if (wanted.test(domain) && record.value() != null) {
              DomainHistory history = history(domain);
              long version = Topics.versionOfAdapterKey(record.key());
              // Only where the version was pruned need the snapshot itself be read.
              long step =
                  history.versions().containsKey(version)
                      ? history.stepsOf(version)
                      : reader.deserialize(record.topic(), record.value()).getStep();
              history.add(
                  new DomainHistory.SnapshotPlace(
                      version, step, record.partition(), record.offset()));
            }
          });
    } catch (UsageException e) {
      // The topics were made before there were snapshots.
      LOG.info("No snapshots: {}", e.getMessage());
    }
  }

  /**
   * A snapshot that a history names.
   *
   * @throws IllegalStateException where it is gone
   */
  TrainingSnapshot snapshot(DomainHistory.SnapshotPlace place) {
    try (CommittedTopic topic = new CommittedTopic(connection, Topics.TRAINING_SNAPSHOTS)) {
      return topic
          .at(place.partition(), place.offset())
          .map(
              record ->
                  connection
                      .deserializer(TrainingSnapshot.class)
                      .deserialize(record.topic(), record.value()))
          .orElseThrow(
              () ->
                  new IllegalStateException(
                      "the snapshot of version %d at offset %d of %s-%d is gone; try again"
                          .formatted(
                              place.version(),
                              place.offset(),
                              Topics.TRAINING_SNAPSHOTS,
                              place.partition())));
    }
  }
}
