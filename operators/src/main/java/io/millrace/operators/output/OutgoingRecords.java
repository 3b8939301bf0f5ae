package io.millrace.operators.output;

import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.DomainProgress;
import io.millrace.schemas.OutgoingRecord;
import io.millrace.schemas.ReceivedExample;
import io.millrace.schemas.RecordError;
import io.millrace.schemas.RolloutAction;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.Topics;
import io.millrace.schemas.TrainingSnapshot;
import io.millrace.schemas.TrainingStep;
import io.millrace.schemas.VersionRef;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.apache.flink.formats.avro.typeutils.AvroTypeInfo;
import org.apache.flink.util.OutputTag;

/**
 * The records that the job writes, each with its topic, key, partition and route; and the reason
 * why readers see each of them exactly once.
 *
 * <p><b>The problem.</b> State, source positions and output must agree after any crash: a version
 * must be what state held, and no step, version or dead letter may be missing, doubled or out of
 * order.
 *
 * <p><b>One sink.</b> Everything that training emits passes one exchange, keyed by route, to one
 * Kafka sink:
 *
 * <pre>
 * record                         topic               key             partition of  route
 * TrainingStep, of every step    training-steps      domain          the key       domain
 * AdapterVersion                 adapters            domain@version  the domain    domain
 * RolloutEvent PUBLISHED, after  rollouts            domain          the key       domain
 *   its version
 * TrainingSnapshot, after its    training-snapshots  domain@version  the domain    domain
 *   version
 * bytes of an example that was   dead-letters        as received     the key       topic-partition
 *   refused, or of each example                                                    of the example
 *   of a non-finite step
 * </pre>
 *
 * <p>Records of one route keep the order in which an operator's subtask emits them, at any
 * parallelism and after rescaling. A subtask of the sink writes one transaction per checkpoint. So
 * the records of a domain commit in the order in which they were emitted, and those of one
 * checkpoint become visible all or none: a version with its event and the steps that led to it.
 * (Kafka may show one partition's part a moment before another's.) Dead letters have another route
 * and may be in another subtask's transaction of the same checkpoint.
 *
 * <p><b>Commit with a checkpoint.</b> Operators emit records as they come about. A checkpoint's
 * barrier divides them: the records before it belong to the state that the checkpoint saves, and to
 * its transactions. The sink commits these transactions once the checkpoint is complete.
 *
 * <pre>
 * crash                             the job goes on from     emitted again       what readers with
 *                                                                                read_committed see
 * before checkpoint n is complete   checkpoint n - 1; the    all records since   only the second
 *                                   open transactions are    n - 1               attempt
 *                                   aborted
 * n is complete, not committed      checkpoint n; the sink   none of n           the first attempt
 *                                   commits what n names
 * n is committed                    checkpoint n             none of n           the first attempt
 * </pre>
 *
 * <p>A second attempt reads the same examples on top of the same state, so it emits the same steps
 * and versions with the same hashes; only times such as {@code finishedAt}, {@code createdAt} and
 * {@code stepMillis} differ. (A batch that a pause of the stream closes may become another one; the
 * first attempt was never committed.) The guarantee ends where Kafka aborts a transaction of a
 * complete checkpoint, because the job stayed away for longer than the transaction timeout.
 *
 * <p><b>Decisions are different.</b> Evidence appends decisions and notes to {@code rollouts}
 * through a sink of its own, at least once and in no transaction: a transaction that a dead job
 * left open would hide the decisions behind it from readers. A decision that is written twice has
 * no effect the second time, since its revision is no longer the current one. A note that is
 * written twice has the same event id.
 */
public final class OutgoingRecords {
  /** Side output of the operators that report progress: see {@link #progress}. */
  public static final OutputTag<OutgoingRecord> PROGRESS =
      new OutputTag<>("progress", new AvroTypeInfo<>(OutgoingRecord.class));

  private OutgoingRecords() {}

  /** The record of a training step. */
  public static OutgoingRecord step(TrainingStep step) {
    return OutgoingRecord.newBuilder()
        .setTopic(Topics.TRAINING_STEPS)
        .setRoute(step.getDomain())
        .setKey(utf8(step.getDomain()))
        .setValue(step)
        .build();
  }

  /** A version with its payload. */
  public static OutgoingRecord version(AdapterVersion version) {
    return OutgoingRecord.newBuilder()
        .setTopic(Topics.ADAPTERS)
        .setRoute(version.getDomain())
        .setKey(ByteBuffer.wrap(Topics.adapterKey(version.getDomain(), version.getVersion())))
        .setPartitionBy(utf8(version.getDomain()))
        .setValue(version)
        .build();
  }

  /**
   * The event that announces a version, in the same transaction as the version. Under the policy
   * latest the version serves from here on.
   */
  public static OutgoingRecord published(AdapterVersion version) {
    String domain = version.getDomain();
    RolloutEvent event =
        RolloutEvent.newBuilder()
            .setEventId(domain + "@" + version.getVersion() + " " + version.getSha256())
            .setDomain(domain)
            .setAction(RolloutAction.PUBLISHED)
            .setVersion(new VersionRef(version.getVersion(), version.getSha256()))
            .setAuthor("job")
            .setCreatedAt(version.getCreatedAt())
            .build();
    return rollout(event);
  }

  /** Any rollout event. The caller's sink decides whether it is written in a transaction. */
  public static OutgoingRecord rollout(RolloutEvent event) {
    return OutgoingRecord.newBuilder()
        .setTopic(Topics.ROLLOUTS)
        .setRoute(event.getDomain())
        .setKey(utf8(event.getDomain()))
        .setValue(event)
        .build();
  }

  /** The whole state of a domain, as a version left it. */
  public static OutgoingRecord snapshot(TrainingSnapshot snapshot) {
    String domain = snapshot.getDomain();
    return OutgoingRecord.newBuilder()
        .setTopic(Topics.TRAINING_SNAPSHOTS)
        .setRoute(domain)
        .setKey(ByteBuffer.wrap(Topics.adapterKey(domain, snapshot.getVersion())))
        .setPartitionBy(utf8(domain))
        .setValue(snapshot)
        .build();
  }

  /** The example's original key and bytes; the headers say where it came from and what is wrong. */
  public static OutgoingRecord deadLetter(ReceivedExample record, RecordError error) {
    return OutgoingRecord.newBuilder()
        .setTopic(Topics.DEAD_LETTERS)
        .setRoute(record.getTopic() + "-" + record.getPartition())
        .setKey(record.getKey())
        .setValue(record.getValue())
        .setHeaders(
            Map.of(
                Topics.DEAD_LETTER_TOPIC, record.getTopic(),
                Topics.DEAD_LETTER_PARTITION, Integer.toString(record.getPartition()),
                Topics.DEAD_LETTER_OFFSET, Long.toString(record.getOffset()),
                Topics.DEAD_LETTER_ERROR_CLASS, error.getErrorClass(),
                Topics.DEAD_LETTER_ERROR_MESSAGE, error.getMessage()))
        .build();
  }

  /**
   * How a domain is doing. It is for people, who want to see it at once: it is written in no
   * transaction.
   */
  public static OutgoingRecord progress(DomainProgress progress) {
    return OutgoingRecord.newBuilder()
        .setTopic(Topics.TRAINING_PROGRESS)
        .setRoute(progress.getDomain())
        .setKey(utf8(progress.getDomain()))
        .setValue(progress)
        .build();
  }

  private static ByteBuffer utf8(String text) {
    return ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
  }
}
