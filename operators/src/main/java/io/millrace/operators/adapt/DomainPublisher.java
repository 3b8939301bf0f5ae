package io.millrace.operators.adapt;

import io.millrace.operators.output.OutgoingRecords;
import io.millrace.operators.output.RecordBytes;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.DomainSetAside;
import io.millrace.schemas.DomainState;
import io.millrace.schemas.OutgoingRecord;
import io.millrace.schemas.TrainingRun;
import io.millrace.schemas.signing.AdapterSigner;
import io.millrace.schemas.text.ShownText;
import java.util.List;
import java.util.Optional;
import org.apache.flink.util.Collector;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Publishes a domain's state as its next version: the version, signed where there is a key; the
 * rollout event that announces it; and every so many versions a snapshot of the whole state. What
 * is emitted is what state holds; {@link OutgoingRecords} says how both commit together.
 */
final class DomainPublisher {
  private static final Logger LOG = LoggerFactory.getLogger(DomainPublisher.class);

  private final DomainTrainers trainers;
  private final Optional<AdapterSigner> signer;
  private final DomainRules domains;
  private final AdaptSettings.Limits limits;

  DomainPublisher(DomainTrainers trainers, Optional<AdapterSigner> signer, AdaptSettings settings) {
    this.trainers = trainers;
    this.signer = signer;
    this.domains = settings.domains();
    this.limits = settings.limits();
  }

  /** Whether a domain has taken as many steps since its last version as a version takes. */
  boolean isDue(String domain, DomainState state) {
    return unpublishedSteps(state) >= domains.of(domain).publishEverySteps();
  }

  /** Steps that no version holds yet. */
  static long unpublishedSteps(DomainState state) {
    return state.getSteps() - state.getPublishedAtStep();
  }

  /**
   * Emits the state as the domain's next version, and notes the version in the state.
   *
   * @param stateSha256 hash of that state
   * @return empty; or, if no record can hold the version, why the domain is to be set aside. Then
   *     nothing is emitted, and the state is as it was.
   */
  Optional<DomainSetAside> publish(
      String domain, DomainState state, String stateSha256, Collector<OutgoingRecord> out) {
    long lastVersion = state.getVersion();
    String lastSha256 = state.getVersionSha256();
    long lastStep = state.getPublishedAtStep();
    List<TrainingRun> runs = state.getRuns();
    AdapterVersion version = trainers.of(domain).publish(domain, state, stateSha256);
    signer.ifPresent(key -> version.setSignature(key.sign(version.getSha256())));
    OutgoingRecord record = OutgoingRecords.version(version);
    long bytes = RecordBytes.of(record);
    if (bytes > limits.versionBytes()) {
      state.setVersion(lastVersion);
      state.setVersionSha256(lastSha256);
      state.setPublishedAtStep(lastStep);
      state.setRuns(runs);
      return Optional.of(tooLarge(version, bytes));
    }
    out.collect(record);
    out.collect(OutgoingRecords.published(version));
    int snapshotEveryVersions = domains.of(domain).snapshotEveryVersions();
    if (snapshotEveryVersions > 0 && state.getVersion() % snapshotEveryVersions == 0) {
      snapshot(domain, state, stateSha256, out);
    }
    return Optional.empty();
  }

  private DomainSetAside tooLarge(AdapterVersion version, long bytes) {
    return new DomainSetAside(
        version.getVersion(),
        bytes,
        "version %d has %d labels and takes %d bytes, a record holds %d: the domain is set aside until publish.recordBytes allows more"
            .formatted(
                version.getVersion(), version.getLabels().size(), bytes, limits.versionBytes()));
  }

  private void snapshot(
      String domain, DomainState state, String stateSha256, Collector<OutgoingRecord> out) {
    OutgoingRecord record =
        OutgoingRecords.snapshot(TrainingRecords.snapshot(domain, state, stateSha256));
    // Counting the bytes of a record takes a copy of what lies outside of the heap.
    long bytes = DomainStates.bytes(state);
    if (bytes <= limits.snapshotBytes()) {
      bytes = RecordBytes.of(record);
    }
    if (bytes > limits.snapshotBytes()) {
      LOG.warn(
          "{}@{}: no snapshot: it takes {} bytes, a record holds {}",
          ShownText.of(domain),
          state.getVersion(),
          bytes,
          limits.snapshotBytes());
    } else {
      out.collect(record);
    }
  }
}
