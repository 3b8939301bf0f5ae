package io.millrace.operators.adapt;

import io.millrace.operators.Received;
import io.millrace.operators.evidence.Evidence;
import io.millrace.operators.output.OutgoingRecords;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.DomainProgress;
import io.millrace.schemas.DomainState;
import io.millrace.schemas.OutgoingRecord;
import io.millrace.schemas.ReceivedExample;
import io.millrace.schemas.Topics;
import io.millrace.schemas.TrainingSnapshot;
import io.millrace.schemas.TrainingStep;
import io.millrace.testing.Await;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ScheduledFuture;
import java.util.function.Consumer;
import org.apache.flink.api.common.JobID;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.events.EventBuilder;
import org.apache.flink.formats.avro.typeutils.AvroTypeInfo;
import org.apache.flink.metrics.Metric;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.runtime.clusterframework.types.ResourceID;
import org.apache.flink.runtime.executiongraph.ExecutionGraphTestUtils;
import org.apache.flink.runtime.metrics.MetricRegistry;
import org.apache.flink.runtime.metrics.NoOpMetricRegistry;
import org.apache.flink.runtime.metrics.TimerGauge;
import org.apache.flink.runtime.metrics.groups.AbstractMetricGroup;
import org.apache.flink.runtime.metrics.groups.InternalOperatorMetricGroup;
import org.apache.flink.runtime.metrics.groups.TaskIOMetricGroup;
import org.apache.flink.runtime.metrics.groups.TaskManagerMetricGroup;
import org.apache.flink.runtime.metrics.scope.ScopeFormats;
import org.apache.flink.runtime.operators.testutils.MockEnvironment;
import org.apache.flink.runtime.operators.testutils.MockEnvironmentBuilder;
import org.apache.flink.runtime.state.KeyGroupRange;
import org.apache.flink.runtime.state.KeyGroupRangeAssignment;
import org.apache.flink.runtime.state.KeyGroupStatePartitionStreamProvider;
import org.apache.flink.runtime.state.KeyedStateBackend;
import org.apache.flink.runtime.state.PriorityQueueSetFactory;
import org.apache.flink.runtime.state.VoidNamespace;
import org.apache.flink.runtime.state.VoidNamespaceSerializer;
import org.apache.flink.runtime.state.storage.JobManagerCheckpointStorage;
import org.apache.flink.state.rocksdb.EmbeddedRocksDBStateBackend;
import org.apache.flink.streaming.api.operators.InternalTimeServiceManager;
import org.apache.flink.streaming.api.operators.InternalTimeServiceManagerImpl;
import org.apache.flink.streaming.api.operators.KeyContext;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;
import org.apache.flink.streaming.runtime.tasks.StreamTaskCancellationContext;
import org.apache.flink.streaming.runtime.tasks.TestProcessingTimeService;
import org.apache.flink.streaming.util.AbstractStreamOperatorTestHarness;
import org.apache.flink.streaming.util.KeyedOneInputStreamOperatorTestHarness;
import org.apache.flink.traces.SpanBuilder;

/** {@link AdaptOperator} as one Flink task runs it, on RocksDB, with a clock the test sets. */
public final class AdaptHarness implements AutoCloseable {
  private static final int MAX_PARALLELISM = 128;

  private final int parallelism;
  private final int task;
  private long stepMillis;
  private int stepsBeforeClock;
  private CountedMetrics counted;
  private final KeyedOneInputStreamOperatorTestHarness<String, ReceivedExample, OutgoingRecord>
      harness;

  private AdaptHarness(AdaptSettings settings, ParentVersions parents, int parallelism, int task)
      throws Exception {
    this(
        parallelism,
        task,
        new KeyedOneInputStreamOperatorTestHarness<>(
            new AdaptOperator(settings, parents),
            received -> received.getExample().getDomain(),
            Types.STRING,
            MAX_PARALLELISM,
            parallelism,
            task));
  }

  private AdaptHarness(
      int parallelism,
      int task,
      KeyedOneInputStreamOperatorTestHarness<String, ReceivedExample, OutgoingRecord> harness) {
    this.parallelism = parallelism;
    this.task = task;
    this.harness = harness;
    harness.setStateBackend(new EmbeddedRocksDBStateBackend(true));
    // Large states fit, too.
    harness.setCheckpointStorage(new JobManagerCheckpointStorage(256 << 20));
    harness.setTimeServiceManagerProvider(new StepsTakeTime());
    harness.setup(new AvroTypeInfo<>(OutgoingRecord.class).createSerializer(null));
  }

  public static AdaptHarness start(AdaptSettings settings) throws Exception {
    return start(settings, ParentVersions.none());
  }

  /** With versions that new domains start from. */
  static AdaptHarness start(AdaptSettings settings, ParentVersions parents) throws Exception {
    AdaptHarness started = new AdaptHarness(settings, parents, 1, 0);
    try {
      started.harness.open();
    } catch (Exception e) {
      // As Flink does with a task that cannot start: what it had opened is closed.
      started.harness.getOperator().close();
      throw e;
    }
    return started;
  }

  /** With metrics as a cluster has them, which {@link #metrics} counts. */
  static AdaptHarness startWithMetrics(AdaptSettings settings) throws Exception {
    CountedMetrics counted = new CountedMetrics();
    MockEnvironment environment =
        new MockEnvironmentBuilder()
            .setMaxParallelism(MAX_PARALLELISM)
            .setMetricGroup(
                TaskManagerMetricGroup.createTaskManagerMetricGroup(
                        counted, "localhost", ResourceID.generate())
                    .addJob(new JobID(), "job")
                    .addTask(ExecutionGraphTestUtils.createExecutionAttemptId(), "adapt"))
            .build();
    AdaptHarness started =
        new AdaptHarness(
            1,
            0,
            new KeyedOneInputStreamOperatorTestHarness<>(
                new AdaptOperator(settings, ParentVersions.none()),
                received -> received.getExample().getDomain(),
                Types.STRING,
                environment));
    started.counted = counted;
    started.harness.open();
    return started;
  }

  /** Metrics of domains that are registered. */
  int metrics() {
    return counted.registered;
  }

  /** What has come out is not kept. */
  void forgetOutput() {
    harness.getOutput().clear();
    harness.getSideOutput(Evidence.INPUT).clear();
    harness.getSideOutput(OutgoingRecords.PROGRESS).clear();
  }

  private static final class CountedMetrics implements MetricRegistry {
    private final MetricRegistry none = NoOpMetricRegistry.INSTANCE;
    private int registered;

    @Override
    public char getDelimiter() {
      return none.getDelimiter();
    }

    @Override
    public int getNumberReporters() {
      return none.getNumberReporters();
    }

    @Override
    public void addSpan(SpanBuilder span, AbstractMetricGroup<?> group) {}

    @Override
    public void addEvent(EventBuilder event, AbstractMetricGroup<?> group) {}

    @Override
    public void register(Metric metric, String name, AbstractMetricGroup<?> group) {
      if (group.getMetricIdentifier(name).contains(".domain.")) {
        registered++;
      }
    }

    @Override
    public void unregister(Metric metric, String name, AbstractMetricGroup<?> group) {}

    @Override
    public ScopeFormats getScopeFormats() {
      return none.getScopeFormats();
    }
  }

  static AdaptHarness restore(AdaptSettings settings, OperatorSubtaskState snapshot)
      throws Exception {
    return restore(settings, snapshot, 1, 0);
  }

  static AdaptHarness restore(
      AdaptSettings settings, ParentVersions parents, OperatorSubtaskState snapshot)
      throws Exception {
    return restore(settings, parents, snapshot, 1, 0);
  }

  /** One of several tasks among which the state of a single one is shared out. */
  static AdaptHarness restore(
      AdaptSettings settings, OperatorSubtaskState snapshot, int parallelism, int task)
      throws Exception {
    return restore(settings, ParentVersions.none(), snapshot, parallelism, task);
  }

  private static AdaptHarness restore(
      AdaptSettings settings,
      ParentVersions parents,
      OperatorSubtaskState snapshot,
      int parallelism,
      int task)
      throws Exception {
    AdaptHarness restored = new AdaptHarness(settings, parents, parallelism, task);
    restored.harness.initializeState(
        AbstractStreamOperatorTestHarness.repartitionOperatorState(
            snapshot, MAX_PARALLELISM, 1, parallelism, task));
    restored.harness.open();
    return restored;
  }

  /** One task that goes on from the states of several. */
  static AdaptHarness restoreTogether(AdaptSettings settings, OperatorSubtaskState... snapshots)
      throws Exception {
    return restore(settings, AbstractStreamOperatorTestHarness.repackageState(snapshots));
  }

  /** A record; where it belongs to another task's domains, nothing happens. */
  public void receive(ReceivedExample example) throws Exception {
    String domain = example.getExample().getDomain();
    if (KeyGroupRangeAssignment.assignKeyToParallelOperator(domain, MAX_PARALLELISM, parallelism)
        == task) {
      harness.processElement(example, example.getTimestamp());
    }
  }

  /** Records {@code from} to {@code to}, exclusive, of partition 0, a millisecond apart. */
  public void receive(String domain, int from, int to) throws Exception {
    for (int offset = from; offset < to; offset++) {
      receive(Received.example(domain, 0, offset, offset));
    }
  }

  /** Sets the clock; timers that fall due meanwhile fire with that time. */
  void clock(long millis) throws Exception {
    stepsBeforeClock = steps().size();
    harness.setProcessingTime(millis);
  }

  /** From now on each step moves the clock by so much, and no timer fires meanwhile. */
  void stepsTake(long millis) {
    stepMillis = millis;
  }

  /**
   * Flink holds the task's input back, as it does while an output is full: a moment of real time.
   */
  void holdBackTheInput() throws Exception {
    TimerGauge backPressured =
        ((InternalOperatorMetricGroup) harness.getOperator().getMetricGroup())
            .getTaskIOMetricGroup()
            .getSoftBackPressuredTimePerSecond();
    long before = backPressured.getAccumulatedCount();
    backPressured.markStart();
    Await.value(
        "the input is held back",
        () -> {
          backPressured.update();
          return backPressured.getAccumulatedCount();
        },
        count -> count > before);
    backPressured.markEnd();
  }

  void watermark(long timestamp) throws Exception {
    harness.processWatermark(timestamp);
  }

  /** What a task does at the end of a bounded input. */
  void endOfInput() throws Exception {
    harness.processWatermark(Long.MAX_VALUE);
    harness.endInput();
  }

  /** What a task does last, whatever ended its input. */
  void finish() throws Exception {
    harness.getOperator().finish();
  }

  OperatorSubtaskState snapshot() throws Exception {
    return harness.snapshot(1, 1);
  }

  /** What a task does with a checkpoint whose barrier has come. */
  OperatorSubtaskState checkpoint() throws Exception {
    harness.getOperator().prepareSnapshotPreBarrier(1);
    return snapshot();
  }

  List<OutgoingRecord> output() {
    return harness.extractOutputValues();
  }

  void checkpointCompleted() throws Exception {
    harness.notifyOfCompletedCheckpoint(1);
  }

  List<DomainProgress> progress() {
    return harness.getSideOutput(OutgoingRecords.PROGRESS).stream()
        .map(record -> (DomainProgress) record.getValue().getValue())
        .toList();
  }

  List<TrainingStep> steps() {
    return values(TrainingStep.class);
  }

  List<TrainingStep> steps(String domain) {
    return steps().stream().filter(step -> step.getDomain().equals(domain)).toList();
  }

  public List<AdapterVersion> versions() {
    return values(AdapterVersion.class);
  }

  List<TrainingSnapshot> snapshots() {
    return values(TrainingSnapshot.class);
  }

  List<OutgoingRecord> deadLetters() {
    return output().stream()
        .filter(record -> record.getTopic().equals(Topics.DEAD_LETTERS))
        .toList();
  }

  /** What keyed state holds of a domain. */
  DomainState state(String domain) throws Exception {
    return domainState(domain).value();
  }

  /** Sets what keyed state holds of a domain. */
  void set(String domain, DomainState state) throws Exception {
    domainState(domain).update(state);
  }

  /** Changes what keyed state holds of a domain. */
  void change(String domain, Consumer<DomainState> change) throws Exception {
    ValueState<DomainState> state = domainState(domain);
    DomainState now = state.value();
    change.accept(now);
    state.update(now);
  }

  private ValueState<DomainState> domainState(String domain) throws Exception {
    KeyedStateBackend<String> backend = harness.getOperator().getKeyedStateBackend();
    backend.setCurrentKey(domain);
    return backend.getPartitionedState(
        VoidNamespace.INSTANCE,
        VoidNamespaceSerializer.INSTANCE,
        new ValueStateDescriptor<>("domain-state", new AvroTypeInfo<>(DomainState.class)));
  }

  /** The operator's timers, with a clock that advances during a step. */
  private final class StepsTakeTime implements InternalTimeServiceManager.Provider {
    @Override
    public <K> InternalTimeServiceManager<K> create(
        TaskIOMetricGroup metrics,
        PriorityQueueSetFactory queues,
        KeyGroupRange keyGroups,
        ClassLoader classLoader,
        KeyContext keys,
        ProcessingTimeService clock,
        Iterable<KeyGroupStatePartitionStreamProvider> state,
        StreamTaskCancellationContext cancellation)
        throws Exception {
      TestProcessingTimeService goingOn =
          new TestProcessingTimeService() {
            @Override
            public long getCurrentProcessingTime() {
              return clock.getCurrentProcessingTime()
                  + stepMillis * (steps().size() - stepsBeforeClock);
            }

            @Override
            public ScheduledFuture<?> registerTimer(long at, ProcessingTimeCallback callback) {
              return clock.registerTimer(at, callback);
            }
          };
      return InternalTimeServiceManagerImpl.create(
          metrics, queues, keyGroups, classLoader, keys, goingOn, state, cancellation);
    }
  }

  private <T> List<T> values(Class<T> type) {
    return output().stream()
        .map(OutgoingRecord::getValue)
        .filter(type::isInstance)
        .map(type::cast)
        .toList();
  }

  @Override
  public void close() {
    try {
      harness.close();
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }

  /** Of each domain of several runs its steps and versions, in order. */
  static Map<String, List<String>> hashes(List<AdaptHarness> run) {
    Map<String, List<String>> hashes = new TreeMap<>();
    for (AdaptHarness adapt : run) {
      for (TrainingStep step : adapt.steps()) {
        hashes
            .computeIfAbsent(step.getDomain(), domain -> new ArrayList<>())
            .add("step " + step.getStep() + " " + step.getStateSha256());
      }
      for (AdapterVersion version : adapt.versions()) {
        hashes
            .computeIfAbsent(version.getDomain() + " versions", domain -> new ArrayList<>())
            .add(version.getVersion() + " " + version.getSha256());
      }
    }
    return hashes;
  }
}
