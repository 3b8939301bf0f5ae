package io.millrace.operators.adapt;

import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.BatchClosedBy;
import io.millrace.schemas.DomainState;
import io.millrace.schemas.Manifest;
import io.millrace.schemas.ReceivedExample;
import io.millrace.schemas.StartVersion;
import io.millrace.schemas.StreamPosition;
import io.millrace.schemas.TrainingRun;
import io.millrace.schemas.TrainingSnapshot;
import io.millrace.schemas.TrainingStep;
import io.millrace.schemas.signing.PayloadHash;
import io.millrace.schemas.text.ShownText;
import io.millrace.svft.adapter.Adapter;
import io.millrace.svft.adapter.PeftLora;
import io.millrace.svft.method.AdapterException;
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
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Trains one domain's state on its batches and turns it into versions. The job and the replay of
 * what it recorded both train through this class, so they can differ only in what they read.
 *
 * <p>A state is the Avro record that keyed state holds; it is changed in place, and so is its
 * memory if it lies outside of the heap, as that of many values does. For one thread.
 */
public final class DomainTrainer implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(DomainTrainer.class);

  private final BaseModel base;
  private final Trainer trainer;
  private final AdapterMethod method;
  private final Function<String, Map<String, String>> settings;
  private final Map<String, String> environment;
  private boolean groupsNoted;

  /**
   * @param base stays open; holds the method's weights as {@link AdapterMethod#factored} says
   * @param recorded {@code training} and the settings that decide batches, by their keys
   * @param threads number of threads that share a step's work
   */
  public DomainTrainer(
      BaseModel base, TrainingSettings training, Map<String, String> recorded, int threads) {
    this(base, training, constant(Map.copyOf(recorded)), threads);
  }

  /**
   * For domains that train alike and differ in their batches.
   *
   * @param recorded of each domain
   */
  DomainTrainer(
      BaseModel base,
      TrainingSettings training,
      Function<String, Map<String, String>> recorded,
      int threads) {
    this.base = base;
    this.method = training.method();
    this.trainer = new Trainer(base, training, threads);
    this.settings = recorded;
    this.environment = TrainingEnvironment.describe(base.device(), threads, base.kernels());
  }

  private static Function<String, Map<String, String>> constant(Map<String, String> recorded) {
    return domain -> recorded;
  }

  /** What computes, by name: see {@link TrainingEnvironment}. */
  public Map<String, String> environment() {
    return environment;
  }

  /** The state of a domain that has not trained yet. */
  public DomainState initialState() {
    return DomainStates.initial(base, trainer.initialState());
  }

  /**
   * The state of a domain that has not trained yet, and starts from another domain's version.
   *
   * @throws AdapterException where the version is damaged, or does not fit base model and settings;
   *     the message says why
   */
  public DomainState initialState(AdapterVersion from) {
    PayloadHash hash = PayloadHash.of(from);
    if (!hash.matches()) {
      throw new AdapterException("it is damaged: " + hash.fault().orElseThrow());
    }
    Adapter adapter = Adapter.fromPayload(from.getPayload().duplicate());
    if (!adapter.domain().equals(from.getDomain()) || adapter.version() != from.getVersion()) {
      throw new AdapterException(
          "its payload is that of %s@%d".formatted(adapter.domain(), adapter.version()));
    }
    DomainState state = DomainStates.initial(base, trainer.initialState(adapter));
    state.setStartedFrom(new StartVersion(from.getDomain(), from.getVersion(), hash.id()));
    return state;
  }

  /**
   * Reads an adapter of PEFT for this trainer's base model.
   *
   * @throws AdapterException where it is not what the hash names, cannot be read, or does not fit
   *     the base model; the message is one line
   */
  public PeftLora peft(InitFrom from) {
    return from.read(base);
  }

  /**
   * The state of a domain that has not trained yet, and starts from an adapter of PEFT.
   *
   * @throws AdapterException where it does not fit the settings; the message says what to set
   */
  public DomainState initialState(PeftLora from) {
    return DomainStates.initial(base, trainer.initialState(from));
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
   * @throws PermanentFailureException where the state belongs to another model or method
   */
  public TrainingStep step(
      String domain, DomainState state, List<ReceivedExample> batch, BatchClosedBy closedBy) {
    StepOutcome outcome = steps(List.of(new DomainBatch(domain, state, batch, closedBy))).get(0);
    if (outcome instanceof StepOutcome.NotFinite notFinite) {
      throw notFinite.failure();
    }
    return ((StepOutcome.Taken) outcome).step();
  }

  /**
   * Takes a step of each of several domains, in one pass where the process can: see {@link
   * Trainer#groups}. Each state and record is, bit for bit, what {@link #step} gives for the domain
   * alone.
   *
   * @param batches at most one of each domain
   * @return what became of each, in the order of the batches
   * @throws PermanentFailureException where a state belongs to another model or method
   * @throws RuntimeException where one cannot be trained for another reason than values that are
   *     not finite. It does not say which, and no state has changed.
   */
  public List<StepOutcome> steps(List<DomainBatch> batches) {
    if (batches.size() > 1) {
      groups();
    }
    long started = System.nanoTime();
    List<Trainer.Batch> read = batches.stream().map(this::read).toList();
    List<Trainer.Outcome> outcomes = trainer.steps(read);
    double millis = (System.nanoTime() - started) / 1e6;
    int examples = batches.stream().mapToInt(each -> each.examples().size()).sum();
    List<StepOutcome> taken = new ArrayList<>();
    for (int i = 0; i < batches.size(); i++) {
      DomainBatch batch = batches.get(i);
      // The time of a pass that several domains share is dealt out by examples.
      double share = millis * batch.examples().size() / examples;
      Trainer.Outcome outcome = outcomes.get(i);
      taken.add(
          outcome
              .result()
              .<StepOutcome>map(result -> new StepOutcome.Taken(record(batch, result, share)))
              .orElseGet(() -> new StepOutcome.NotFinite(outcome.failure().orElseThrow())));
    }
    return taken;
  }

  /**
   * Whether the steps of several domains are taken in one pass: see {@link Trainer#groups}. Where
   * not, they are the same, and cost as much as each alone. The log says it once.
   */
  public boolean groups() {
    boolean groups = trainer.groups();
    if (!groupsNoted) {
      groupsNoted = true;
      if (groups) {
        LOG.info("Steps of several domains with {} are taken in one pass", method.spec());
      } else {
        LOG.warn(
            "Steps are taken domain by domain: the layout, the size of the adapters ({}), or the kernels of this process allow no common pass",
            method.spec());
      }
    }
    return groups;
  }

  private Trainer.Batch read(DomainBatch batch) {
    DomainState state = batch.state();
    if (!state.getMethod().equals(method.spec())) {
      throw new PermanentFailureException(
          "domain %s was trained with the adapter method %s, the setting is %s: set the method that it was trained with (for this domain alone: domains.%1$s.adapter.method), or start without its state"
              .formatted(ShownText.of(batch.domain()), state.getMethod(), method.spec()));
    }
    return new Trainer.Batch(DomainStates.read(state, base), examples(batch.examples()), true);
  }

  /** What is trained on of examples that were received. */
  static List<TrainingExample> examples(List<ReceivedExample> received) {
    return received.stream()
        .map(ReceivedExample::getExample)
        .map(e -> new TrainingExample(e.getText(), e.getLabel(), e.getWeight()))
        .toList();
  }

  /** Writes a result into the state, and makes the step's record. */
  private TrainingStep record(DomainBatch batch, StepResult result, double millis) {
    DomainState state = batch.state();
    DomainStates.write(result.state(), state);
    List<StreamPosition> through = state.getTrainedThrough();
    for (ReceivedExample example : batch.examples()) {
      through = DomainStates.advance(through, example.getPartition(), example.getOffset());
    }
    state.setTrainedThrough(through);
    state.setRuns(withThisRun(batch.domain(), state.getRuns(), state.getSteps()));
    return TrainingRecords.step(batch.domain(), batch.examples(), batch.closedBy(), result, millis);
  }

  private List<TrainingRun> withThisRun(String domain, List<TrainingRun> runs, long step) {
    Map<String, String> now = settings.apply(domain);
    if (!runs.isEmpty()) {
      TrainingRun last = runs.get(runs.size() - 1);
      if (last.getSettings().equals(now) && last.getEnvironment().equals(environment)) {
        return runs;
      }
    }
    List<TrainingRun> more = new ArrayList<>(runs);
    more.add(new TrainingRun(step, now, environment));
    return more;
  }

  /** Makes the state the domain's next version, and notes the version in the state. */
  public AdapterVersion publish(String domain, DomainState state) {
    return publish(domain, state, sha256(state));
  }

  /**
   * As {@link #publish(String, DomainState)}, where the state's hash is known.
   *
   * @param stateSha256 {@link #sha256} of the state
   */
  AdapterVersion publish(String domain, DomainState state, String stateSha256) {
    long version = state.getVersion() + 1;
    String parent = state.getVersionSha256();
    TrainingState training = DomainStates.read(state, base);
    Adapter adapter = training.toAdapter(base, domain, version, parent == null ? "" : parent);
    byte[] payload = adapter.toPayload();
    String sha256 = Sha256.of(payload);
    Manifest manifest =
        TrainingRecords.manifest(state, stateSha256, base.tokenizerSha256(), adapter);
    AdapterVersion published = TrainingRecords.version(state, adapter, payload, sha256, manifest);
    state.setVersion(version);
    state.setVersionSha256(sha256);
    state.setPublishedAtStep(state.getSteps());
    state.setRuns(List.of());
    return published;
  }

  /** All of the state, as its last version left it. */
  public TrainingSnapshot snapshot(String domain, DomainState state) {
    return TrainingRecords.snapshot(domain, state, sha256(state));
  }

  /** Waits for a step that still runs. */
  @Override
  public void close() {
    trainer.close();
  }
}
