package io.millrace.benchmarks.recording;

import io.millrace.benchmarks.model.MiniLm;
import io.millrace.operators.adapt.DomainStates;
import io.millrace.operators.adapt.DomainTrainer;
import io.millrace.operators.adapt.TrainingRecords;
import io.millrace.pipeline.settings.RecordedSettings;
import io.millrace.schemas.BatchClosedBy;
import io.millrace.schemas.DomainState;
import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.ReceivedExample;
import io.millrace.schemas.registry.WireFormat;
import io.millrace.svft.adapter.Adapter;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.tensor.Sha256;
import io.millrace.svft.training.StepResult;
import io.millrace.svft.training.Trainer;
import io.millrace.svft.training.TrainingExample;
import io.millrace.svft.training.TrainingSettings;
import io.millrace.svft.training.TrainingState;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.apache.avro.specific.SpecificRecord;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * What it costs to record training so that it can be replayed: on MiniLM, 16 texts a batch, with
 * the job's default settings and two threads.
 *
 * <p>An operation is one step. An invocation takes 100 of them, so that each has its share of ten
 * versions and of the snapshot that comes with the tenth. Records are written as the sink writes
 * them, but to no Kafka. Java compiles as it does for {@code bin/millrace train}: how fast SHA-256
 * is depends on it.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(value = 1, jvmArgsAppend = "-XX:TieredStopAtLevel=1")
@Warmup(iterations = 1, time = 5)
@Measurement(iterations = 3, time = 10)
public class RecordingBenchmark {
  private static final String DOMAIN = "benchmark";
  private static final int BATCH = 16;
  private static final int THREADS = 2;

  /** Any id: all have the same length. */
  private static final int SCHEMA_ID = 1;

  private static final int VERSION_EVERY_STEPS = 10;

  /** Every tenth version's. */
  private static final int SNAPSHOT_EVERY_STEPS = 100;

  private BaseModel base;
  private Trainer trainer;
  private DomainTrainer recorder;
  private List<List<TrainingExample>> batches;
  private final List<List<ReceivedExample>> received = new ArrayList<>();
  private DomainState state;

  /** The result of a step, which {@link #record} records. */
  private StepResult taken;

  /** The state after it, as a version. */
  private Adapter adapter;

  @Setup
  public void make() {
    TreeMap<String, String> settings = RecordedSettings.changed(Map.of(), Map.of());
    TrainingSettings training = RecordedSettings.training(settings);
    base = MiniLm.load(MiniLm.files(), training.method());
    trainer = new Trainer(base, training, THREADS);
    recorder = new DomainTrainer(base, training, settings, THREADS);
    batches = MiniLm.batches(base, BATCH);
    for (List<TrainingExample> batch : batches) {
      received.add(receive(batch, (long) received.size() * BATCH));
    }
    state = recorder.initialState();
    // After every batch the head has all labels: steps are as large as they get.
    for (List<ReceivedExample> batch : received) {
      recorder.step(DOMAIN, state, batch, BatchClosedBy.COUNT);
    }
    taken = trainer.step(DomainStates.read(state, base), batches.get(0));
    adapter = taken.state().toAdapter(base, DOMAIN, 1, "");
    System.out.printf(
        "%n# %s, %d labels, %,d bytes of state, %,d bytes a version%n",
        training.method().spec(),
        state.getLabels().size(),
        DomainStates.bytes(state),
        adapter.toPayload().length);
  }

  private static List<ReceivedExample> receive(List<TrainingExample> batch, long firstOffset) {
    List<ReceivedExample> examples = new ArrayList<>();
    for (TrainingExample each : batch) {
      long offset = firstOffset + examples.size();
      LabeledExample example =
          LabeledExample.newBuilder()
              .setId(Long.toString(offset))
              .setDomain(DOMAIN)
              .setText(each.text())
              .setLabel(each.label())
              .setWeight(each.weight())
              .build();
      examples.add(
          ReceivedExample.newBuilder()
              .setTopic("labeled-examples")
              .setPartition(0)
              .setOffset(offset)
              .setTimestamp(offset)
              .setExample(example)
              .build());
    }
    return examples;
  }

  @TearDown
  public void free() {
    recorder.close();
    trainer.close();
    base.close();
  }

  /** Training without records: state, step, state; payload and id of a version. */
  @Benchmark
  @OperationsPerInvocation(SNAPSHOT_EVERY_STEPS)
  public String step() {
    String parent = "";
    for (int step = 1; step <= SNAPSHOT_EVERY_STEPS; step++) {
      TrainingState before = DomainStates.read(state, base);
      TrainingState after = trainer.step(before, batches.get(step % batches.size())).state();
      DomainStates.write(after, state);
      if (step % VERSION_EVERY_STEPS == 0) {
        parent = Sha256.of(after.toAdapter(base, DOMAIN, step, parent).toPayload());
      }
    }
    return parent;
  }

  /** The same with all records, as the job does it. */
  @Benchmark
  @OperationsPerInvocation(SNAPSHOT_EVERY_STEPS)
  public long recordedStep() {
    long bytes = 0;
    for (int step = 1; step <= SNAPSHOT_EVERY_STEPS; step++) {
      List<ReceivedExample> batch = received.get(step % received.size());
      bytes += encoded(recorder.step(DOMAIN, state, batch, BatchClosedBy.COUNT));
      if (step % VERSION_EVERY_STEPS == 0) {
        bytes += encoded(recorder.publish(DOMAIN, state));
      }
      if (step % SNAPSHOT_EVERY_STEPS == 0) {
        bytes += encoded(recorder.snapshot(DOMAIN, state));
      }
    }
    return bytes;
  }

  /**
   * The difference alone: records of steps, manifests and a snapshot, of a step computed before.
   */
  @Benchmark
  @OperationsPerInvocation(SNAPSHOT_EVERY_STEPS)
  public long record() {
    long bytes = 0;
    for (int step = 1; step <= SNAPSHOT_EVERY_STEPS; step++) {
      List<ReceivedExample> batch = received.get(step % received.size());
      bytes += encoded(TrainingRecords.step(DOMAIN, batch, BatchClosedBy.COUNT, taken, 1));
      if (step % VERSION_EVERY_STEPS == 0) {
        bytes +=
            encoded(
                TrainingRecords.manifest(
                    state, taken.state().sha256(), base.tokenizerSha256(), adapter));
      }
      if (step % SNAPSHOT_EVERY_STEPS == 0) {
        bytes += encoded(recorder.snapshot(DOMAIN, state));
      }
    }
    return bytes;
  }

  /** The part of {@link #record} that computes the SHA-256 of one step's state. */
  @Benchmark
  public String stateHash() {
    return taken.state().sha256();
  }

  private static int encoded(SpecificRecord record) {
    return WireFormat.encode(SCHEMA_ID, record).length;
  }
}
