package io.millrace.operators.adapt;

import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.BatchClosedBy;
import io.millrace.schemas.DomainState;
import io.millrace.schemas.Manifest;
import io.millrace.schemas.ReceivedExample;
import io.millrace.schemas.TrainingSnapshot;
import io.millrace.schemas.TrainingStep;
import io.millrace.svft.adapter.Adapter;
import io.millrace.svft.training.StepResult;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;

/** What training puts on record: a step, a version with its manifest, a snapshot. */
public final class TrainingRecords {
  private TrainingRecords() {}

  /**
   * The record of a step.
   *
   * @param batch in the order in which it was trained on
   * @param result what the step gave
   * @param millis wall-clock time that the step took
   */
  public static TrainingStep step(
      String domain,
      List<ReceivedExample> batch,
      BatchClosedBy closedBy,
      StepResult result,
      double millis) {
    List<Boolean> correct = new ArrayList<>();
    for (boolean each : result.correct()) {
      correct.add(each);
    }
    return TrainingStep.newBuilder()
        .setDomain(domain)
        .setStep(result.state().steps())
        .setClosedBy(closedBy)
        .setBatch(BatchIdentity.runs(batch))
        .setBatchSha256(BatchIdentity.sha256(batch))
        .setCorrect(correct)
        .setLoss(result.loss())
        .setStateSha256(result.state().sha256())
        .setStepMillis(millis)
        .setFinishedAt(Instant.now())
        .build();
  }

  /**
   * The record of a version.
   *
   * @param state that the version is published from; it names the version's parent
   * @param payload of the adapter
   * @param sha256 of the payload, hexadecimal
   */
  static AdapterVersion version(
      DomainState state, Adapter adapter, byte[] payload, String sha256, Manifest manifest) {
    return AdapterVersion.newBuilder()
        .setDomain(adapter.domain())
        .setVersion(adapter.version())
        .setSha256(sha256)
        .setParentSha256(state.getVersionSha256())
        .setBaseModel(adapter.baseModel())
        .setBaseSha256(adapter.baseSha256())
        .setBasisSha256(adapter.basisSha256())
        .setMethod(adapter.method().id())
        .setPattern(adapter.method().patternId())
        .setTrainableParameters(adapter.trainableParameters())
        .setLabels(adapter.labels())
        .setSteps(adapter.steps())
        .setExamples(adapter.examples())
        .setTrainedThrough(state.getTrainedThrough())
        .setPayload(ByteBuffer.wrap(payload))
        .setCreatedAt(Instant.now())
        .setManifest(manifest)
        .build();
  }

  /**
   * How a version was trained.
   *
   * @param state that the version is published from
   * @param stateSha256 hash of that state
   * @param tokenizerSha256 hash of the base model's tokenizer
   */
  public static Manifest manifest(
      DomainState state, String stateSha256, String tokenizerSha256, Adapter adapter) {
    return Manifest.newBuilder()
        .setStateSha256(stateSha256)
        .setTokenizerSha256(tokenizerSha256)
        .setPositionsSha256(adapter.positionsSha256())
        .setFirstStep(state.getPublishedAtStep() + 1)
        .setRuns(state.getRuns())
        .setStartedFrom(state.getStartedFrom())
        .build();
  }

  /** The whole state, as its last version left it. */
  static TrainingSnapshot snapshot(String domain, DomainState state, String stateSha256) {
    return TrainingSnapshot.newBuilder()
        .setDomain(domain)
        .setVersion(state.getVersion())
        .setStep(state.getSteps())
        .setStateSha256(stateSha256)
        .setState(state)
        .build();
  }
}
