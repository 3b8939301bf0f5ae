package io.millrace.operators.evidence;

import io.millrace.operators.metrics.JobMetrics;
import io.millrace.operators.output.OutgoingRecords;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.Comparison;
import io.millrace.schemas.ComparisonKind;
import io.millrace.schemas.DomainForgotten;
import io.millrace.schemas.DomainProgress;
import io.millrace.schemas.DriftState;
import io.millrace.schemas.EvidenceExample;
import io.millrace.schemas.EvidenceInput;
import io.millrace.schemas.EvidenceProgress;
import io.millrace.schemas.EvidenceState;
import io.millrace.schemas.OutgoingRecord;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.RolloutPolicy;
import io.millrace.schemas.TrainingStep;
import io.millrace.schemas.VersionPlace;
import io.millrace.schemas.VersionRef;
import io.millrace.schemas.rollout.Rollout;
import io.millrace.schemas.text.ShownText;
import io.millrace.svft.method.AdapterException;
import java.io.IOException;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.formats.avro.typeutils.AvroTypeInfo;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Decides on candidates by what they answer.
 *
 * <p>The operator folds a domain's rollout from its log, as every reader does. It has the two
 * versions in question answer the labeled examples that neither was trained on, and appends its
 * decision to the log, on top of the revision that it has read. A decision that comes too late has
 * no effect there, and the operator goes on from the decision that came first.
 *
 * <p>It trains nothing and holds no part of what serves: without it, people decide. What it does
 * depends on the domain's policy and its comparison ({@link EvidenceRules}):
 *
 * <pre>
 * policy          compared                 examples kept        decision
 * latest, pinned  nothing                  none                 the domain's first policy, if
 *                                                               nothing was decided before
 * canary          nothing                  the newest           the newest untried version becomes
 *                                                               the candidate, unless one is held
 * canary          candidate with stable,   the newest           none yet
 *                 open
 * canary          the same, closed         the newest           promote, roll back or hold
 * canary, manual  stable with the version  canary: the newest;  none yet
 *                 it replaced, open        manual: those not
 *                                          compared yet
 * canary, manual  the same, closed         canary: the newest;  roll back if stable is worse, else
 *                                          manual: none         as with nothing compared
 * </pre>
 *
 * <p>Of the examples kept there are at most {@value #KEPT}. They are compared in batches of {@value
 * #BATCH}, or {@value #WAIT_MILLIS} ms after an example had to wait for others. A version that the
 * topic does not hold is looked up again every {@value #RETRY_MILLIS} ms; after {@value
 * #PATIENCE_MILLIS} ms the comparison is given up, which holds a candidate.
 */
final class EvidenceFunction extends KeyedProcessFunction<String, EvidenceInput, OutgoingRecord> {
  private static final long serialVersionUID = 1;

  /** Examples that both versions answer at once. */
  static final int BATCH = 16;

  /**
   * The longest time that an example waits for others, and the time without an event in the log
   * before a decision: a reader that catches up with a long log must not decide on its past.
   */
  static final long WAIT_MILLIS = 250;

  /** Most examples kept: those that arrived before a candidate was known, to compare it on. */
  static final int KEPT = 512;

  /** A version just published may become visible late; one that was pruned never does. */
  static final long PATIENCE_MILLIS = 30_000;

  static final long RETRY_MILLIS = 1_000;

  /** Places of versions that come so soon after each other, and are older, are of the past. */
  static final long CATCH_UP_MILLIS = 10_000;

  private static final Logger LOG = LoggerFactory.getLogger(EvidenceFunction.class);

  private final EvidenceSettings settings;
  private final EvidenceRules rules;
  private final PublishedAdapters published;

  private transient ValueState<EvidenceState> evidence;
  private transient KeptExamples examples;
  private transient ComparedVersions versions;
  private transient ValueState<DriftState> drift;
  private transient FrozenVersions frozen;
  private transient EvidenceMetrics metrics;
  private transient Map<String, Long> missingSince;
  private transient long newestPlace;
  private transient long newestPlaceAt;

  EvidenceFunction(EvidenceSettings settings, PublishedAdapters published) {
    this.settings = settings;
    this.rules = settings.rules();
    this.published = published;
  }

  @Override
  public void open(OpenContext context) {
    evidence =
        getRuntimeContext()
            .getState(
                new ValueStateDescriptor<>("evidence", new AvroTypeInfo<>(EvidenceState.class)));
    examples = new KeptExamples(getRuntimeContext());
    versions = new ComparedVersions(getRuntimeContext(), published);
    drift =
        getRuntimeContext()
            .getState(new ValueStateDescriptor<>("drift", new AvroTypeInfo<>(DriftState.class)));
    frozen = new FrozenVersions(settings, settings.device().of(getRuntimeContext()));
    metrics =
        new EvidenceMetrics(
            JobMetrics.of(getRuntimeContext().getMetricGroup()), settings.metricsDomains());
    missingSince = new HashMap<>();
  }

  @Override
  public void close() {
    if (frozen != null) {
      frozen.close();
    }
    published.close();
  }

  @Override
  public void processElement(EvidenceInput input, Context context, Collector<OutgoingRecord> out)
      throws Exception {
    if (input.getValue() instanceof TrainingStep step) {
      watchForDrift(step, out);
    } else if (input.getValue() instanceof RolloutEvent event) {
      follow(event, context);
    } else if (input.getValue() instanceof VersionPlace place) {
      versions.note(place);
      newestPlace = place.getTimestamp();
      newestPlaceAt = context.timerService().currentProcessingTime();
    } else if (input.getValue() instanceof DomainForgotten) {
      // What a rollout has decided stays.
      drift.clear();
    } else {
      receive((EvidenceExample) input.getValue(), context, out);
    }
  }

  private void watchForDrift(TrainingStep step, Collector<OutgoingRecord> out) throws IOException {
    if (settings.detectors().isEmpty()) {
      return;
    }
    DriftWatch watch = new DriftWatch(drift.value(), settings.detectors());
    watch
        .add(step)
        .forEach(
            note -> {
              out.collect(OutgoingRecords.rollout(note));
              metrics.drifted();
            });
    drift.update(watch.state());
  }

  private void follow(RolloutEvent event, Context context) throws Exception {
    EvidenceState state = evidence.value();
    if (state == null) {
      state = EvidenceStates.initial(event.getDomain());
    }
    Rollout before = EvidenceStates.read(event.getDomain(), state.getRollout());
    Rollout now = before.apply(event);
    if (now == before) {
      return;
    }
    state.setRollout(EvidenceStates.write(now));
    Comparison running = state.getComparison();
    Comparison comparison = rules.comparison(now, running).orElse(null);
    if (comparison != running) {
      begin(comparison, state);
      missingSince.remove(event.getDomain());
    }
    if (EvidenceRules.acts(now.policy())) {
      setTimer(state, WAIT_MILLIS, context);
    } else {
      examples.dropAll(state);
      if (first(now).isPresent()) {
        setTimer(state, WAIT_MILLIS, context);
      }
    }
    metrics.show(event.getDomain(), comparison);
    evidence.update(state);
  }

  /**
   * @param comparison null where there is nothing to compare any more
   */
  private void begin(Comparison comparison, EvidenceState state) throws Exception {
    state.setComparison(comparison);
    // A candidate may be compared on the examples kept: no decision about it used them. A promotion
    // must not be confirmed by the examples that it was based on.
    boolean onKept = comparison != null && comparison.getKind() == ComparisonKind.CANARY;
    state.setCompared(onKept ? state.getFirstExample() : state.getNextExample());
    versions.keepOnly(comparison);
  }

  private void receive(EvidenceExample example, Context context, Collector<OutgoingRecord> out)
      throws Exception {
    EvidenceState state = evidence.value();
    boolean kept =
        state != null
            && (state.getRollout().getPolicy() == RolloutPolicy.CANARY
                || rules.open(state.getComparison()));
    if (!kept) {
      return;
    }
    examples.add(example, state);
    if (rules.open(state.getComparison())) {
      boolean waits = missingSince.containsKey(context.getCurrentKey());
      if (KeptExamples.notCompared(state) >= BATCH && !waits) {
        compare(state, context);
        decide(state, context, out);
      } else if (state.getTimer() == null) {
        setTimer(state, WAIT_MILLIS, context);
      }
    }
    dropUnneeded(state);
    evidence.update(state);
  }

  @Override
  public void onTimer(long timestamp, OnTimerContext context, Collector<OutgoingRecord> out)
      throws Exception {
    EvidenceState state = evidence.value();
    if (state == null || state.getTimer() == null || state.getTimer() != timestamp) {
      return;
    }
    state.setTimer(null);
    if (rules.open(state.getComparison()) && KeptExamples.notCompared(state) > 0) {
      compare(state, context);
    }
    decide(state, context, out);
    dropUnneeded(state);
    evidence.update(state);
  }

  /** Compares both versions on the next examples, where the topic holds both. */
  private void compare(EvidenceState state, Context context) throws Exception {
    Comparison comparison = state.getComparison();
    String domain = context.getCurrentKey();
    try {
      Optional<AdapterVersion> tried = versions.find(domain, comparison.getTried());
      Optional<AdapterVersion> against = versions.find(domain, comparison.getAgainst());
      if (tried.isPresent() && against.isPresent()) {
        missingSince.remove(domain);
        compare(state, tried.get(), against.get(), context);
        long rest = KeptExamples.notCompared(state);
        if (rules.open(comparison) && rest > 0) {
          setTimer(state, rest < BATCH ? WAIT_MILLIS : 0, context);
        }
        return;
      }
      long now = context.timerService().currentProcessingTime();
      if (isCatchingUp(now)) {
        missingSince.put(domain, now);
      }
      if (now - missingSince.computeIfAbsent(domain, first -> now) >= PATIENCE_MILLIS) {
        missingSince.remove(domain);
        VersionRef missing = tried.isEmpty() ? comparison.getTried() : comparison.getAgainst();
        giveUp(
            domain,
            comparison,
            "the topic adapters does not hold version %d any more".formatted(missing.getVersion()));
        return;
      }
    } catch (AdapterException e) {
      giveUp(domain, comparison, e.getMessage());
      return;
    } catch (IOException e) {
      LOG.warn(
          "{}: versions cannot be compared now, trying again: {}",
          ShownText.of(domain),
          e.getMessage());
      missingSince.put(domain, context.timerService().currentProcessingTime());
    }
    setTimer(state, RETRY_MILLIS, context);
  }

  /** Whether old records of the topic adapters are still being read, as after an upgrade. */
  private boolean isCatchingUp(long now) {
    return now - newestPlaceAt < CATCH_UP_MILLIS && now - newestPlace > 2 * CATCH_UP_MILLIS;
  }

  private static void giveUp(String domain, Comparison comparison, String flaw) {
    LOG.warn(
        "{}: version {} cannot be compared with version {}: {}",
        ShownText.of(domain),
        comparison.getTried().getVersion(),
        comparison.getAgainst().getVersion(),
        ShownText.of(flaw));
    comparison.setFlaw(flaw);
  }

  private void compare(
      EvidenceState state, AdapterVersion tried, AdapterVersion against, Context context)
      throws Exception {
    KeptExamples.Batch next =
        examples.next(
            BATCH, example -> !trainedOn(tried, example) && !trainedOn(against, example), state);
    List<EvidenceExample> batch = next.examples();
    if (!batch.isEmpty()) {
      count(state.getComparison(), frozen.correct(tried, batch), frozen.correct(against, batch));
      report(state.getComparison(), context);
    }
    state.setCompared(next.end());
  }

  /** Evaluates the test after every example, which it allows, and stops at the first result. */
  private void count(Comparison comparison, boolean[] tried, boolean[] against) {
    for (int i = 0; i < tried.length && rules.open(comparison); i++) {
      comparison.setExamples(comparison.getExamples() + 1);
      if (tried[i] && !against[i]) {
        comparison.setWins(comparison.getWins() + 1);
      } else if (against[i] && !tried[i]) {
        comparison.setLosses(comparison.getLosses() + 1);
      }
    }
  }

  private void report(Comparison comparison, Context context) {
    EvidenceProgress evidence =
        EvidenceProgress.newBuilder()
            .setWatch(comparison.getKind() == ComparisonKind.WATCH)
            .setTried(comparison.getTried().getVersion())
            .setAgainst(comparison.getAgainst().getVersion())
            .setExamples(comparison.getExamples())
            .setWins(comparison.getWins())
            .setLosses(comparison.getLosses())
            .setLimit(rules.limit(comparison))
            .build();
    DomainProgress progress =
        new DomainProgress(context.getCurrentKey(), Instant.now(), null, evidence);
    context.output(OutgoingRecords.PROGRESS, OutgoingRecords.progress(progress));
  }

  /** Whether a version's training had reached an example's offset and so may have used it. */
  private static boolean trainedOn(AdapterVersion version, EvidenceExample example) {
    return version.getTrainedThrough().stream()
        .anyMatch(
            through ->
                through.getPartition() == example.getPartition()
                    && through.getOffset() >= example.getOffset());
  }

  private void decide(EvidenceState state, Context context, Collector<OutgoingRecord> out) {
    String domain = context.getCurrentKey();
    metrics.show(domain, state.getComparison());
    Rollout now = EvidenceStates.read(domain, state.getRollout());
    if (state.getDecidedOn() == now.revision()) {
      // The log does not show yet whether the decision had an effect.
      return;
    }
    Optional<RolloutEvent> decision =
        first(now).or(() -> rules.decision(now, state.getComparison()));
    if (decision.isPresent()) {
      LOG.info(
          "{}: {} on top of revision {}: {}",
          ShownText.of(domain),
          decision.get().getAction(),
          now.revision(),
          decision.get().getReason());
      out.collect(OutgoingRecords.rollout(decision.get()));
      metrics.decided(decision.get().getAction());
      state.setDecidedOn(now.revision());
    }
  }

  private Optional<RolloutEvent> first(Rollout now) {
    return EvidenceRules.first(now, settings.firstPolicies().of(now.domain()));
  }

  /** Drops the examples that neither this comparison nor a later one needs. */
  private void dropUnneeded(EvidenceState state) throws Exception {
    long from = state.getNextExample() - KEPT;
    if (state.getRollout().getPolicy() != RolloutPolicy.CANARY) {
      from =
          rules.open(state.getComparison())
              ? Math.max(from, state.getCompared())
              : state.getNextExample();
    }
    examples.dropBefore(from, state);
  }

  private static void setTimer(EvidenceState state, long millis, Context context) {
    if (state.getTimer() != null) {
      context.timerService().deleteProcessingTimeTimer(state.getTimer());
    }
    long at = context.timerService().currentProcessingTime() + millis;
    state.setTimer(at);
    context.timerService().registerProcessingTimeTimer(at);
  }
}
