package io.millrace.client.kafka;

import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.BatchClosedBy;
import io.millrace.schemas.DomainState;
import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.Manifest;
import io.millrace.schemas.OffsetRun;
import io.millrace.schemas.RolloutAction;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.RolloutPolicy;
import io.millrace.schemas.StreamPosition;
import io.millrace.schemas.TrainingRun;
import io.millrace.schemas.TrainingSnapshot;
import io.millrace.schemas.TrainingStep;
import io.millrace.schemas.VersionRef;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.avro.specific.SpecificRecordBase;

/** One record of each kind that goes to a topic, with every field set. */
final class Records {
  static final LabeledExample EXAMPLE =
      LabeledExample.newBuilder()
          .setId("7")
          .setDomain("sport")
          .setText("surf's up \u00e9 \ud83c\udf0a \u0000")
          .setLabel("noun")
          .setEventTime(Instant.ofEpochMilli(1_700_000_000_123L))
          .setWeight(0.5f)
          .setMetadata(Map.of("source", "test"))
          .build();

  static final TrainingStep STEP =
      TrainingStep.newBuilder()
          .setDomain("sport")
          .setStep(3)
          .setClosedBy(BatchClosedBy.TIMEOUT)
          .setBatch(List.of(new OffsetRun(0, 100L, 2), new OffsetRun(1, 7L, 1)))
          .setCorrect(List.of(true, false, true))
          .setLoss(0.6931471805599453)
          .setBatchSha256("89".repeat(32))
          .setStateSha256("ab".repeat(32))
          .setStepMillis(12.5)
          .setFinishedAt(Instant.ofEpochMilli(1_700_000_001_000L))
          .build();

  private static final TrainingRun RUN =
      new TrainingRun(31L, Map.of("training.beta1", "0.9"), Map.of("threads", "2"));

  static final AdapterVersion VERSION =
      AdapterVersion.newBuilder()
          .setDomain("sport")
          .setVersion(2)
          .setSha256("cd".repeat(32))
          .setParentSha256("ef".repeat(32))
          .setBaseModel("minilm")
          .setBaseSha256("01".repeat(32))
          .setBasisSha256("23".repeat(32))
          .setMethod("svft")
          .setPattern("plain")
          .setTrainableParameters(13_824)
          .setLabels(List.of("noun", "verb"))
          .setSteps(40)
          .setExamples(640)
          .setTrainedThrough(List.of(new StreamPosition(0, 639L)))
          .setPayload(payload())
          .setCreatedAt(Instant.ofEpochMilli(1_700_000_002_000L))
          .setSignature(payload())
          .setManifest(
              Manifest.newBuilder()
                  .setStateSha256("ab".repeat(32))
                  .setTokenizerSha256("45".repeat(32))
                  .setPositionsSha256("67".repeat(32))
                  .setFirstStep(31)
                  .setRuns(List.of(RUN))
                  .build())
          .build();

  static final TrainingSnapshot SNAPSHOT =
      TrainingSnapshot.newBuilder()
          .setDomain("sport")
          .setVersion(2)
          .setStep(40)
          .setStateSha256("ab".repeat(32))
          .setState(
              DomainState.newBuilder()
                  .setBaseSha256("01".repeat(32))
                  .setBasisSha256("23".repeat(32))
                  .setMethod("svft:random:1:7")
                  .setLabels(List.of("noun", "verb"))
                  .setLabelBornAtStep(List.of(0L, 3L))
                  .setPositions(payload())
                  .setScores(payload())
                  .setValues(payload())
                  .setValuesFirstMoment(payload())
                  .setValuesSecondMoment(payload())
                  .setHead(payload())
                  .setHeadFirstMoment(payload())
                  .setHeadSecondMoment(payload())
                  .setSteps(40)
                  .setExamples(640)
                  .setVersion(2)
                  .setVersionSha256("cd".repeat(32))
                  .setPublishedAtStep(40)
                  .setTrainedThrough(List.of(new StreamPosition(0, 639L)))
                  .setRuns(List.of(RUN))
                  .build())
          .build();

  static final RolloutEvent ROLLOUT =
      RolloutEvent.newBuilder()
          .setEventId("0f2c6f9e-6a35-4f3a-9c3c-0d5a52d5b0b1")
          .setDomain("sport")
          .setAction(RolloutAction.CANARY)
          .setBasedOn(4L)
          .setVersion(new VersionRef(3L, "ef".repeat(32)))
          .setStable(new VersionRef(2L, "cd".repeat(32)))
          .setPolicy(RolloutPolicy.CANARY)
          .setShare(0.1)
          .setAuthor("ann")
          .setReason("on a tenth first")
          .setCreatedAt(Instant.ofEpochMilli(1_700_000_003_000L))
          .build();

  static final List<SpecificRecordBase> ALL = List.of(EXAMPLE, STEP, VERSION, SNAPSHOT, ROLLOUT);

  private Records() {}

  private static ByteBuffer payload() {
    byte[] bytes = new byte[300];
    new Random(1).nextBytes(bytes);
    return ByteBuffer.wrap(bytes);
  }
}
