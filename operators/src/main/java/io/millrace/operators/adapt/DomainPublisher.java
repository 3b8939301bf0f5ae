package io.millrace.operators.adapt;

import io.millrace.operators.output.OutgoingRecords;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.DomainState;
import io.millrace.schemas.OutgoingRecord;
import io.millrace.schemas.signing.AdapterSigner;
import io.millrace.schemas.text.ShownText;
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
  /** A Kafka record holds up to 64 MiB; the snapshot's other fields need some of it. */
  private static final long LARGEST_SNAPSHOT_BYTES = 60L * 1024 * 1024;

  private static final Logger LOG = LoggerFactory.getLogger(DomainPublisher.class);

  private final DomainTrainer trainer;
  private final Optional<AdapterSigner> signer;
  private final int everySteps;
  private final int snapshotEveryVersions;

  /**
   * @param everySteps steps from one version to the next
   * @param snapshotEveryVersions versions from one snapshot to the next; 0 for none
   */
  DomainPublisher(
      DomainTrainer trainer,
      Optional<AdapterSigner> signer,
      int everySteps,
      int snapshotEveryVersions) {
    this.trainer = trainer;
    this.signer = signer;
    this.everySteps = everySteps;
    this.snapshotEveryVersions = snapshotEveryVersions;
  }

  /** Whether the state has taken as many steps since its last version as a version takes. */
  boolean isDue(DomainState state) {
    return unpublishedSteps(state) >= everySteps;
  }

  /** Steps that no version holds yet. */
  static long unpublishedSteps(DomainState state) {
    return state.getSteps() - state.getPublishedAtStep();
  }

  /** Emits the state as the domain's next version, and notes the version in the state. */
  void publish(String domain, DomainState state, Collector<OutgoingRecord> out) {
    AdapterVersion version = trainer.publish(domain, state);
    signer.ifPresent(key -> version.setSignature(key.sign(version.getSha256())));
    out.collect(OutgoingRecords.version(version));
    out.collect(OutgoingRecords.published(version));
    if (snapshotEveryVersions > 0 && state.getVersion() % snapshotEveryVersions == 0) {
      snapshot(domain, state, out);
    }
  }

  private void snapshot(String domain, DomainState state, Collector<OutgoingRecord> out) {
    long bytes = DomainStates.bytes(state);
    if (bytes > LARGEST_SNAPSHOT_BYTES) {
      LOG.warn(
          "{}@{}: no snapshot: the state is {} bytes, a record holds {}",
          ShownText.of(domain),
          state.getVersion(),
          bytes,
          LARGEST_SNAPSHOT_BYTES);
    } else {
      out.collect(OutgoingRecords.snapshot(trainer.snapshot(domain, state)));
    }
  }
}
