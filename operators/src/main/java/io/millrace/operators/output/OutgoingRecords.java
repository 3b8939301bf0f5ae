package io.millrace.operators.output;

import io.millrace.schemas.AdapterVersion;
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

/** What the job writes, each record with the topic, key and headers it gets there. */
public final class OutgoingRecords {
  private OutgoingRecords() {}

  public static OutgoingRecord step(TrainingStep step) {
    return OutgoingRecord.newBuilder()
        .setTopic(Topics.TRAINING_STEPS)
        .setRoute(step.getDomain())
        .setKey(utf8(step.getDomain()))
        .setValue(step)
        .build();
  }

  public static OutgoingRecord version(AdapterVersion version) {
    return OutgoingRecord.newBuilder()
        .setTopic(Topics.ADAPTERS)
        .setRoute(version.getDomain())
        .setKey(ByteBuffer.wrap(Topics.adapterKey(version.getDomain(), version.getVersion())))
        .setPartitionBy(utf8(version.getDomain()))
        .setValue(version)
        .build();
  }

  /** In the same transaction as the version: under the policy latest it serves from here on. */
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

  /** A decision or a note; one that was made in no transaction is not to be written in one. */
  public static OutgoingRecord rollout(RolloutEvent event) {
    return OutgoingRecord.newBuilder()
        .setTopic(Topics.ROLLOUTS)
        .setRoute(event.getDomain())
        .setKey(utf8(event.getDomain()))
        .setValue(event)
        .build();
  }

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

  /** The record's original key and bytes, with where they came from and what was wrong. */
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

  private static ByteBuffer utf8(String text) {
    return ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
  }
}
