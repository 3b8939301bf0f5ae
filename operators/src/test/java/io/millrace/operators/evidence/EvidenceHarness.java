package io.millrace.operators.evidence;

import io.millrace.operators.MiniLm;
import io.millrace.operators.Received;
import io.millrace.operators.model.TaskDevice;
import io.millrace.operators.output.OutgoingRecords;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.DomainForgotten;
import io.millrace.schemas.DomainProgress;
import io.millrace.schemas.EvidenceExample;
import io.millrace.schemas.EvidenceInput;
import io.millrace.schemas.EvidenceProgress;
import io.millrace.schemas.OutgoingRecord;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.RolloutPolicy;
import io.millrace.schemas.TrainingStep;
import io.millrace.schemas.VersionPlace;
import io.millrace.schemas.VersionRef;
import io.millrace.schemas.rollout.Rollout;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.ModelStore;
import io.millrace.svft.tensor.Kernels;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.formats.avro.typeutils.AvroTypeInfo;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.runtime.state.KeyedStateBackend;
import org.apache.flink.runtime.state.VoidNamespace;
import org.apache.flink.runtime.state.VoidNamespaceSerializer;
import org.apache.flink.state.rocksdb.EmbeddedRocksDBStateBackend;
import org.apache.flink.streaming.api.operators.KeyedProcessOperator;
import org.apache.flink.streaming.util.KeyedOneInputStreamOperatorTestHarness;

/**
 * {@link EvidenceFunction} as one Flink task runs it, on RocksDB, with a clock the test sets, and
 * with the log that its decisions go to.
 */
public final class EvidenceHarness implements AutoCloseable {
  static final String DOMAIN = "a";

  public static final EvidenceSettings SETTINGS =
      new EvidenceSettings(
          new EvidenceRules(new PairedTest(0.05, 0.05, 0, 200), 100, 0.1),
          domain -> RolloutPolicy.LATEST,
          new TreeSet<>(List.of("adwin")),
          new ArrayList<>(List.of(AdapterMethod.parse("svft:plain"))),
          MiniLm.STORE,
          ModelStore.MINILM,
          new TaskDevice("cpu", Kernels.FAST),
          1000);

  private final EvidenceSettings settings;
  private final Shelf shelf;
  private final KeyedOneInputStreamOperatorTestHarness<String, EvidenceInput, OutgoingRecord>
      harness;
  private final NavigableMap<Long, VersionRef> versions = new TreeMap<>();
  private Rollout now = Rollout.initial(DOMAIN);
  private int read;
  private long clock;

  private EvidenceHarness(EvidenceSettings settings, Shelf shelf) throws Exception {
    this.settings = settings;
    this.shelf = shelf;
    harness =
        new KeyedOneInputStreamOperatorTestHarness<>(
            new KeyedProcessOperator<>(new EvidenceFunction(settings, shelf)),
            EvidenceInput::getDomain,
            Types.STRING);
    harness.setStateBackend(new EmbeddedRocksDBStateBackend(true));
    harness.setup(new AvroTypeInfo<>(OutgoingRecord.class).createSerializer(null));
  }

  static EvidenceHarness start() throws Exception {
    return start(SETTINGS);
  }

  static EvidenceHarness start(EvidenceSettings settings) throws Exception {
    EvidenceHarness started = new EvidenceHarness(settings, new Shelf());
    started.harness.open();
    return started;
  }

  /** Another task, restored from this one's state, with the same log and versions. */
  EvidenceHarness restored() throws Exception {
    OperatorSubtaskState state = harness.snapshot(1, 1);
    EvidenceHarness restored = new EvidenceHarness(settings, shelf);
    restored.harness.initializeState(state);
    restored.harness.open();
    restored.versions.putAll(versions);
    restored.now = now;
    restored.clock(clock);
    return restored;
  }

  /** Where versions lie, once they are published. */
  public static final class Shelf implements PublishedAdapters {
    private static final long serialVersionUID = 1;

    // Static: Flink serializes functions, and what is published later must be there, too.
    private static final NavigableMap<String, AdapterVersion> PUBLISHED = new TreeMap<>();
    private static int asked;

    public Shelf() {
      PUBLISHED.clear();
      asked = 0;
    }

    @Override
    public Optional<AdapterVersion> at(String domain, VersionPlace place) throws IOException {
      asked++;
      return Optional.ofNullable(PUBLISHED.get(domain + "@" + place.getOffset()));
    }

    @Override
    public void close() {}
  }

  /** How often a version was looked up. */
  int lookups() {
    return Shelf.asked;
  }

  /** A version is there, and the log says so. */
  void publish(AdapterVersion version) throws Exception {
    Shelf.PUBLISHED.put(DOMAIN + "@" + version.getVersion(), version);
    place(version.getVersion(), version.getSha256());
    announce(version);
  }

  /** A version is there; neither its place nor the log is known yet. */
  void publishPayload(AdapterVersion version) {
    Shelf.PUBLISHED.put(DOMAIN + "@" + version.getVersion(), version);
  }

  /** A version of another time, as a reader that has only begun finds it. */
  void placeOfThePast(long version) throws Exception {
    send(new VersionPlace(1000 + version, "past", 0, version, version));
  }

  /** Training has dropped the domain. */
  void forget() throws Exception {
    send(new DomainForgotten(0L));
  }

  /** A version stands in the topic, at the offset of its number; or its tombstone. */
  void place(long version, String sha256) throws Exception {
    send(new VersionPlace(version, sha256, 0, version, clock));
  }

  /** The log says that a version is there. */
  void announce(AdapterVersion version) throws Exception {
    versions.put(version.getVersion(), new VersionRef(version.getVersion(), version.getSha256()));
    log((RolloutEvent) OutgoingRecords.published(version).getValue());
  }

  /** An event stands in the log. */
  void log(RolloutEvent event) throws Exception {
    now = now.apply(event);
    send(event);
  }

  private void send(Object value) throws Exception {
    harness.processElement(new EvidenceInput(DOMAIN, value), 0);
  }

  /** An example, of the texts of {@link Received}; a true label is what those have. */
  void example(long offset, boolean trueLabel) throws Exception {
    String text = Received.example(DOMAIN, 0, offset, 0).getExample().getText();
    boolean negative = (offset % 2 == 0) == trueLabel;
    send(new EvidenceExample(0, offset, text, negative ? "negative" : "positive"));
  }

  void step(TrainingStep step) throws Exception {
    send(step);
  }

  /** The clock moves on; timers that fall due meanwhile fire. */
  void pass(long millis) throws Exception {
    clock(clock + millis);
  }

  private void clock(long millis) throws Exception {
    // A timer that a timer sets for at once fires at the next millisecond that is set.
    for (long at = clock; at <= millis; at += 10) {
      harness.setProcessingTime(at);
    }
    harness.setProcessingTime(millis);
    clock = millis;
  }

  /** How comparisons have gone. */
  List<EvidenceProgress> progress() {
    return harness.getSideOutput(OutgoingRecords.PROGRESS).stream()
        .map(record -> ((DomainProgress) record.getValue().getValue()).getEvidence())
        .toList();
  }

  /** Decisions and notes that came out since this was last asked. */
  List<RolloutEvent> decided() {
    List<OutgoingRecord> all = harness.extractOutputValues();
    List<RolloutEvent> fresh =
        all.subList(read, all.size()).stream()
            .map(record -> (RolloutEvent) record.getValue())
            .toList();
    read = all.size();
    return fresh;
  }

  /** The rollout, by the log. */
  Rollout now() {
    return now;
  }

  NavigableMap<Long, VersionRef> versions() {
    return versions;
  }

  /** Examples that keyed state holds. */
  int kept() throws Exception {
    KeyedStateBackend<String> backend = harness.getOperator().getKeyedStateBackend();
    backend.setCurrentKey(DOMAIN);
    MapState<Long, EvidenceExample> examples =
        backend.getPartitionedState(
            VoidNamespace.INSTANCE,
            VoidNamespaceSerializer.INSTANCE,
            new MapStateDescriptor<>(
                "examples", Types.LONG, new AvroTypeInfo<>(EvidenceExample.class)));
    List<Long> numbers = new ArrayList<>();
    examples.keys().forEach(numbers::add);
    return numbers.size();
  }

  @Override
  public void close() throws Exception {
    harness.close();
  }
}
