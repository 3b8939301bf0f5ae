package io.millrace.operators.adapt;

import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.BatchClosedBy;
import io.millrace.schemas.DomainState;
import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.Manifest;
import io.millrace.schemas.ReceivedExample;
import io.millrace.schemas.StreamPosition;
import io.millrace.schemas.TrainingRun;
import io.millrace.schemas.TrainingSnapshot;
import io.millrace.schemas.TrainingStep;
import io.millrace.svft.adapter.Adapter;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.tensor.Sha256;
import io.millrace.svft.training.NonFiniteStepException;
import io.millrace.svft.training.StepResult;
import io.millrace.svft.training.Trainer;
import io.millrace.svft.training.TrainingEnvironment;
import io.millrace.svft.training.TrainingExample;
import io.millrace.svft.training.TrainingSettings;
import io.millrace.svft.training.TrainingState;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Trains one domain's state on its batches and turns it into versions, with their records. The job
 * and the replay of what it recorded both train through this class, so what differs between them is
 * what they read.
 *
 * <p>A state is the Avro record that keyed state holds; it is changed in place. For one thread.
 */
public final class DomainTrainer implements AutoCloseable {
  private final BaseModel base;
  private final Trainer trainer;
  private final Map<String, String> settings;
  private final Map<String, String> environment;

  /**
   * @param base stays open; holds the method's weights as {@link Trainer#factored} says
   * @param recorded {@code training} and what else decided the batches, by the settings' keys
   * @param threads threads that share a step's work
   */
  public DomainTrainer(
      BaseModel base, TrainingSettings training, Map<String, String> recorded, int threads) {
    this.base = base;
    this.trainer = new Trainer(base, training, threads);
    this.settings = Map.copyOf(recorded);
    this.environment = TrainingEnvironment.describe(base.device(), threads);
  }

  /** The base model as this process and machine hold it: see {@link TrainingEnvironment}. */
  public Map<String, String> environment() {
    return environment;
  }

  /** The state of a domain that has not trained yet. */
  public DomainState initialState() {
    return DomainStates.initial(base, trainer.initialState());
  }

  /** SHA-256 of a state, as the record of the step that led to it names it. */
  public String sha256(DomainState state) {
    return DomainStates.read(state, base).sha256();
  }

  /**
   * Takes a step: predicts the batch, then trains on it.
   *
   * @param state as the step before left it; changed only where the step succeeds
   * @param batch in order
   * @return the step's record
   * @throws NonFiniteStepException where loss, gradient or update is not finite
   */
  public TrainingStep step(
      String domain, DomainState state, List<ReceivedExample> batch, BatchClosedBy closedBy) {
    List<TrainingExample> examples =
        batch.stream()
            .map(ReceivedExample::getExample)
            .map(e -> new TrainingExample(e.getText(), e.getLabel(), e.getWeight()))
            .toList();
    long started = System.nanoTime();
    StepResult result = trainer.step(DomainStates.read(state, base), examples);
    double millis = (System.nanoTime() - started) / 1e6;
    DomainStates.write(result.state(), state);
    List<StreamPosition> through = state.getTrainedThrough();
    for (ReceivedExample example : batch) {
      through = DomainStates.advance(through, example.getPartition(), example.getOffset());
    }
    state.setTrainedThrough(through);
    state.setRuns(withThisRun(state.getRuns(), state.getSteps()));
    return record(domain, batch, closedBy, result, millis);
  }

  public static TrainingStep record(
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
        .setBatch(Batches.runs(batch))
        .setBatchSha256(sha256(batch))
        .setCorrect(correct)
        .setLoss(result.loss())
        .setStateSha256(result.state().sha256())
        .setStepMillis(millis)
        .setFinishedAt(Instant.now())
        .build();
  }

  private List<TrainingRun> withThisRun(List<TrainingRun> runs, long step) {
    if (!runs.isEmpty()) {
      TrainingRun last = runs.get(runs.size() - 1);
      if (last.getSettings().equals(settings) && last.getEnvironment().equals(environment)) {
        return runs;
      }
    }
    List<TrainingRun> more = new ArrayList<>(runs);
    more.add(new TrainingRun(step, settings, environment));
    return more;
  }

  /** SHA-256 of what is trained on in a batch: text, label and weight of each example, in order. */
  public static String sha256(List<ReceivedExample> batch) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    DataOutputStream out = new DataOutputStream(bytes);
    try {
      for (ReceivedExample received : batch) {
        LabeledExample example = received.getExample();
        write(example.getText(), out);
        write(example.getLabel(), out);
        out.writeFloat(example.getWeight());
      }
    } catch (IOException e) {
      throw new UncheckedIOException("cannot write to memory", e);
    }
    return Sha256.of(bytes.toByteArray());
  }

  private static void write(String text, DataOutputStream out) throws IOException {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    out.writeInt(bytes.length);
    out.write(bytes);
  }

  /** Makes the state the domain's next version, and notes so in it. */
  public AdapterVersion publish(String domain, DomainState state) {
    long version = state.getVersion() + 1;
    String parent = state.getVersionSha256();
    TrainingState training = DomainStates.read(state, base);
    Adapter adapter = Adapter.of(base, training, domain, version, parent == null ? "" : parent);
    byte[] payload = adapter.toPayload();
    String sha256 = Sha256.of(payload);
    AdapterVersion published =
        AdapterVersion.newBuilder()
            .setDomain(domain)
            .setVersion(version)
            .setSha256(sha256)
            .setParentSha256(parent)
            .setBaseModel(adapter.baseModel())
            .setBaseSha256(adapter.baseSha256())
            .setBasisSha256(adapter.basisSha256())
            .setMethod(adapter.method().id())
            .setPattern(pattern(adapter.method()))
            .setTrainableParameters(adapter.trainableParameters())
            .setLabels(adapter.labels())
            .setSteps(adapter.steps())
            .setExamples(adapter.examples())
            .setTrainedThrough(state.getTrainedThrough())
            .setPayload(ByteBuffer.wrap(payload))
            .setCreatedAt(Instant.now())
            .setManifest(manifest(state, training, adapter))
            .build();
    state.setVersion(version);
    state.setVersionSha256(sha256);
    state.setPublishedAtStep(state.getSteps());
    state.setRuns(List.of());
    return published;
  }

  public Manifest manifest(DomainState state, TrainingState training, Adapter adapter) {
    return Manifest.newBuilder()
        .setStateSha256(training.sha256())
        .setTokenizerSha256(base.tokenizerSha256())
        .setPositionsSha256(adapter.positionsSha256())
        .setFirstStep(state.getPublishedAtStep() + 1)
        .setRuns(state.getRuns())
        .build();
  }

  /** M's sparsity pattern; empty where there is no M. */
  private static String pattern(AdapterMethod method) {
    return method instanceof AdapterMethod.Svft svft ? svft.pattern().id() : "";
  }

  /** All of the state, as its last version left it. */
  public TrainingSnapshot snapshot(String domain, DomainState state) {
    return TrainingSnapshot.newBuilder()
        .setDomain(domain)
        .setVersion(state.getVersion())
        .setStep(state.getSteps())
        .setStateSha256(sha256(state))
        .setState(state)
        .build();
  }

  /** Waits for a step that still runs. */
  @Override
  public void close() {
    trainer.close();
  }
}
