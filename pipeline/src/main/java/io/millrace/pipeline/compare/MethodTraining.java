package io.millrace.pipeline.compare;

import io.millrace.pipeline.embedded.PeakMemory;
import io.millrace.pipeline.input.ExampleReader;
import io.millrace.pipeline.report.PrequentialAccuracy;
import io.millrace.pipeline.report.StepTimes;
import io.millrace.schemas.LabeledExample;
import io.millrace.svft.adapter.Adapter;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.training.NonFiniteStepException;
import io.millrace.svft.training.StepResult;
import io.millrace.svft.training.Trainer;
import io.millrace.svft.training.TrainingExample;
import io.millrace.svft.training.TrainingSettings;
import io.millrace.svft.training.TrainingState;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Trains one method on a file as the job does on the file's records: a state per domain, batches of
 * a domain's examples in file order, a shorter batch at the end. The resulting states equal those
 * of the job, bit for bit.
 */
final class MethodTraining {
  private static final Logger LOG = LoggerFactory.getLogger(MethodTraining.class);

  /** Receives the progress. */
  interface Listener {
    /**
     * @param examples trained on so far
     * @param right predicted before that
     */
    void trained(long examples, long right);
  }

  private static final class Domain {
    final List<TrainingExample> pending = new ArrayList<>();
    TrainingState state;
    boolean[] correct = new boolean[0];
  }

  private final BaseModel base;
  private final TrainingSettings settings;
  private final Trainer trainer;
  private final int batchSize;
  private final Listener listener;
  private final Map<String, Domain> domains = new TreeMap<>();
  private final StepTimes stepTimes = new StepTimes();
  private double lossSum;
  private long examples;
  private long right;
  private long deadLetters;
  private long examplesOfFirstStep;
  private long firstStepEnd;
  private long lastStepEnd;

  private MethodTraining(
      BaseModel base,
      TrainingSettings settings,
      Trainer trainer,
      int batchSize,
      Listener listener) {
    this.base = base;
    this.settings = settings;
    this.trainer = trainer;
    this.batchSize = batchSize;
    this.listener = listener;
  }

  /**
   * Trains to the stream's end.
   *
   * @param text the method as the user wrote it
   * @param base holds the method's weights as {@link AdapterMethod#factored} says
   * @param threads threads that share a step's work
   */
  static MethodReport run(
      String text,
      BaseModel base,
      TrainingSettings settings,
      int batchSize,
      int threads,
      ExampleReader stream,
      Listener listener) {
    try (Trainer trainer = new Trainer(base, settings, threads)) {
      MethodTraining training = new MethodTraining(base, settings, trainer, batchSize, listener);
      training.train(stream);
      return training.report(text);
    }
  }

  private void train(ExampleReader stream) {
    for (Optional<LabeledExample> next = stream.next(); next.isPresent(); next = stream.next()) {
      LabeledExample example = next.get();
      Domain domain = domains.computeIfAbsent(example.getDomain(), name -> new Domain());
      domain.pending.add(
          new TrainingExample(example.getText(), example.getLabel(), example.getWeight()));
      if (domain.pending.size() >= batchSize) {
        step(domain);
      }
    }
    for (Domain domain : domains.values()) {
      if (!domain.pending.isEmpty()) {
        step(domain);
      }
    }
  }

  private void step(Domain domain) {
    List<TrainingExample> batch = List.copyOf(domain.pending);
    domain.pending.clear();
    TrainingState before = domain.state == null ? trainer.initialState() : domain.state;
    StepResult result;
    long started = System.nanoTime();
    try {
      result =
          trainer.steps(List.of(new Trainer.Batch(before, batch, true))).get(0).resultOrThrow();
    } catch (NonFiniteStepException e) {
      LOG.warn("{}: a batch changes nothing: {}", settings.method().spec(), e.getMessage());
      deadLetters += batch.size();
      return;
    }
    lastStepEnd = System.nanoTime();
    stepTimes.add((lastStepEnd - started) / 1e6);
    if (stepTimes.count() == 1) {
      firstStepEnd = lastStepEnd;
      examplesOfFirstStep = batch.size();
    }
    domain.state = result.state();
    int known = domain.correct.length;
    domain.correct = Arrays.copyOf(domain.correct, known + batch.size());
    System.arraycopy(result.correct(), 0, domain.correct, known, batch.size());
    for (boolean each : result.correct()) {
      right += each ? 1 : 0;
    }
    lossSum += result.loss() * batch.size();
    examples += batch.size();
    listener.trained(examples, right);
  }

  private MethodReport report(String text) {
    long peakRssMiB = PeakMemory.mib();
    Collection<boolean[]> correct = domains.values().stream().map(d -> d.correct).toList();
    Map<String, MethodReport.Domain> byName = new TreeMap<>();
    domains.forEach((name, domain) -> byName.put(name, report(domain)));
    AdapterMethod method = settings.method();
    List<Adapter> adapters = new ArrayList<>();
    domains.forEach(
        (name, domain) -> {
          if (domain.state != null) {
            adapters.add(domain.state.toAdapter(base, name, 1, ""));
          }
        });
    return new MethodReport(
        text,
        method.spec(),
        method.trains() ? settings.learningRate() : null,
        adapters.isEmpty() ? 0 : adapters.get(0).trainableParameters(),
        Math.round(
            adapters.stream().mapToLong(each -> each.toPayload().length).average().orElse(0)),
        examples,
        deadLetters,
        stepTimes.count(),
        PrequentialAccuracy.of(correct, 0, 1),
        PrequentialAccuracy.standardError(correct, 0, 1),
        lossSum / Math.max(1, examples),
        List.of(
            PrequentialAccuracy.of(correct, 0, 3),
            PrequentialAccuracy.of(correct, 1, 3),
            PrequentialAccuracy.of(correct, 2, 3)),
        List.of(
            PrequentialAccuracy.standardError(correct, 0, 3),
            PrequentialAccuracy.standardError(correct, 1, 3),
            PrequentialAccuracy.standardError(correct, 2, 3)),
        lastStepEnd == firstStepEnd
            ? 0
            : (examples - examplesOfFirstStep) * 1e9 / (lastStepEnd - firstStepEnd),
        stepTimes.percentiles(),
        ManagementFactory.getRuntimeMXBean().getUptime() / 1e3,
        peakRssMiB,
        byName);
  }

  private static MethodReport.Domain report(Domain domain) {
    return new MethodReport.Domain(
        domain.correct.length,
        domain.state == null ? 0 : domain.state.steps(),
        PrequentialAccuracy.of(List.of(domain.correct), 0, 1),
        domain.state == null ? null : domain.state.sha256());
  }
}
