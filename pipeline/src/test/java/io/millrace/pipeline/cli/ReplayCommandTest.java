package io.millrace.pipeline.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.millrace.client.kafka.Connection;
import io.millrace.client.process.ExitCode;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.demo.WordNet;
import io.millrace.pipeline.embedded.EmbeddedStack;
import io.millrace.pipeline.records.AdapterLog;
import io.millrace.pipeline.records.CommittedTopic;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.Manifest;
import io.millrace.schemas.OffsetRun;
import io.millrace.schemas.Topics;
import io.millrace.schemas.TrainingStep;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.Future;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.utils.Utils;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** {@code replay} on what a run has published that was killed once, in another process. */
@Tag("integration")
@Timeout(300)
class ReplayCommandTest {
  private static final String STORE = "model.store=" + System.getProperty("millrace.test.models");
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final int PARTITIONS = 4;

  @TempDir private static Path root;
  private static EmbeddedStack stack;
  private static Connection connection;

  @BeforeAll
  static void train() throws Exception {
    Path file = Files.write(root.resolve("stream.jsonl"), lines(480));
    Path data = root.resolve("data");
    try (ChildJvm killed = train(file, data)) {
      Checkpoints.await(data, 2, killed);
      killed.kill();
    }
    try (ChildJvm resumed = train(file, data)) {
      List<String> said = resumed.awaitEnd();
      assertThat(resumed.exitCode()).as("said: %s", said).isZero();
    }
    List<Setting<?>> all =
        Stream.of(EmbeddedStack.SETTINGS, Connection.SETTINGS)
            .<Setting<?>>flatMap(List::stream)
            .toList();
    Settings defaults = Settings.of(all, null, List.of());
    stack = EmbeddedStack.start(data, EmbeddedStack.Ports.FREE, defaults);
    connection = new Connection(stack.connect(defaults));
  }

  /** WordNet's definitions, dealt out to three domains of different sizes. */
  private static List<String> lines(int count) throws IOException {
    List<String> lines = new ArrayList<>();
    for (LabeledExample example : WordNet.load().definitions(count)) {
      lines.add(
          JSON.writeValueAsString(
              Map.of(
                  "domain", "domain-" + lines.size() % 7 % 3,
                  "text", example.getText(),
                  "label", example.getLabel())));
    }
    return lines;
  }

  private static ChildJvm train(Path file, Path data) throws IOException {
    return new ChildJvm(
        root.resolve("logs"),
        MillraceCommand.class.getName(),
        Stream.concat(
                Stream.of("train", "--input", file.toString(), "--data", data.toString()),
                Stream.of(
                        "publish.everySteps=2",
                        "snapshot.everyVersions=2",
                        "checkpoint.interval=300ms",
                        STORE)
                    .flatMap(set -> Stream.of("--set", set)))
            .toArray(String[]::new));
  }

  @AfterAll
  static void stop() {
    if (stack != null) {
      stack.close();
    }
  }

  @Test
  void everyVersionComesOutTheSameWithOneThreadAndWithTwo() {
    for (String threads : List.of("1", "2")) {
      Said said = replay("--all", "--set", "training.threads=" + threads);

      assertThat(said.exitCode()).as("%s", said).isZero();
      assertThat(said.text())
          .contains("domain-0: ", "domain-1: ", "domain-2: ", "the same, bit for bit")
          .contains("3 of 3 domains are the same")
          .contains("480 examples replayed");
    }
  }

  @Test
  void aReplayCanStartAtASnapshot() throws Exception {
    Said said = replay("--domain", "domain-1", "--version", "3", "--from", "snapshot");

    assertThat(said.exitCode()).as("%s", said).isZero();
    assertThat(said.text()).contains("1 version, 2 steps, 32 examples from version 2 on");
    assertThat(said.text()).contains(versions("domain-1").get(3L).getSha256());

    Said json = replay("--domain=domain-1", "--version=3", "--from=snapshot", "--json");
    JsonNode result = new ObjectMapper().readTree(json.text()).get(0);
    assertThat(result.path("sha256").asText()).isEqualTo(versions("domain-1").get(3L).getSha256());
    assertThat(result.path("differences")).isEmpty();
  }

  @Test
  void aFlippedBitInAStoredPayloadIsFound() {
    AdapterVersion version = versions("domain-2").get(2L);

    Said said =
        replayWith(
            version,
            record -> {
              byte[] payload = bytes(record.getPayload());
              payload[payload.length / 2] ^= 1;
              record.setPayload(ByteBuffer.wrap(payload));
              return record;
            });

    assertThat(said.exitCode()).as("%s", said).isEqualTo(1);
    assertThat(said.out().get(0))
        .isEqualTo("domain-2: step 4 (version 2): the stored payload is not what was published");
    assertThat(said.out().get(1)).endsWith(version.getSha256());
  }

  @Test
  void aChangedSettingIsFoundAtTheFirstStepItReaches() {
    Said said =
        replayWith(
            versions("domain-2").get(2L),
            record -> {
              Manifest manifest = record.getManifest();
              Map<String, String> settings = new HashMap<>(manifest.getRuns().get(0).getSettings());
              settings.put("training.learningRate", "0.031");
              manifest.getRuns().get(0).setSettings(settings);
              return record;
            });

    assertThat(said.exitCode()).as("%s", said).isEqualTo(1);
    assertThat(said.out().get(0)).isEqualTo("domain-2: step 3 (version 2): the state differs");
    assertThat(said.text())
        .contains("as trained on")
        .contains("environment: nothing of what is recorded differs")
        .contains(
            "settings: training.learningRate is 0.031 in the manifest, 0.03 at the step before");
  }

  @Test
  void anAlteredLabelInACopiedTopicIsFound() throws Exception {
    TrainingStep step = steps("domain-0").get(4);
    OffsetRun run = step.getBatch().get(0);
    copyExamples("altered-copy", run.getPartition(), run.getFirstOffset());
    copyExamples("true-copy", -1, -1);

    Said same = replay("--domain", "domain-0", "--examples", "true-copy");
    Said altered = replay("--domain", "domain-0", "--examples", "altered-copy");

    assertThat(same.exitCode()).as("%s", same).isZero();
    assertThat(altered.exitCode()).as("%s", altered).isEqualTo(1);
    assertThat(altered.out().get(0))
        .isEqualTo("domain-0: step 5 (version 3): examples were changed");
    assertThat(altered.out().get(1)).endsWith(step.getStateSha256());
    assertThat(altered.text())
        .contains(
            "altered-copy-%d offset %d".formatted(run.getPartition(), run.getFirstOffset()),
            "NOT those that were trained on");
  }

  @Test
  void examplesThatAreGoneAreNamed() throws Exception {
    copyExamples("short-copy", -1, -1);
    TrainingStep first = steps("domain-0").get(0);
    OffsetRun run = first.getBatch().get(0);
    deleteBefore("short-copy", run.getPartition(), run.getFirstOffset() + 1);

    Said gone = replay("--domain", "domain-0", "--examples", "short-copy");
    Said later = replay("--domain", "domain-0", "--examples", "short-copy", "--from", "snapshot");

    assertThat(gone.exitCode()).as("%s", gone).isEqualTo(3);
    assertThat(gone.text())
        .contains(
            "1 of the examples are no longer in the topic; --from snapshot starts later, --from 2 as"
                + " early as possible")
        .contains(
            "missing: short-copy-%d: offsets %d"
                .formatted(run.getPartition(), run.getFirstOffset()));
    assertThat(later.exitCode()).as("%s", later).isZero();
  }

  /** Snapshots of the versions 2, 4, ..., two steps a version; the first eight steps are gone. */
  @Test
  void aSnapshotBeforeWhatIsGoneIsNoStart() throws Exception {
    copyExamples("late-copy", -1, -1);
    OffsetRun eighth = steps("domain-0").get(7).getBatch().get(0);
    deleteBefore("late-copy", eighth.getPartition(), eighth.getFirstOffset() + eighth.getCount());
    long newest = versions("domain-0").size();

    Said base = replay("--domain", "domain-0", "--examples", "late-copy");
    Said early =
        replay("--domain", "domain-0", "--version", "3", "--from", "2", "--examples", "late-copy");
    Said all = replay("--all", "--from", "snapshot", "--examples", "late-copy");

    assertThat(base.exitCode()).as("%s", base).isEqualTo(3);
    assertThat(base.out().get(0))
        .endsWith(
            "of the examples are no longer in the topic; --from snapshot starts later, --from 4 as"
                + " early as possible");
    assertThat(early.exitCode()).as("%s", early).isEqualTo(3);
    assertThat(early.out().get(0))
        .endsWith(
            ("no longer in the topic; no snapshot before version 3 is late enough: only versions 5"
                    + " to %d can be trained again, with --from 4")
                .formatted(newest));
    assertThat(all.exitCode()).as("%s", all).isZero();
    assertThat(all.text()).contains("from version 4 on: the same, bit for bit");
  }

  @Test
  void whereEverythingIsGoneNothingIsPromised() throws Exception {
    copyExamples("empty-copy", -1, -1);
    List<TrainingStep> steps = steps("domain-2");
    OffsetRun last = steps.get(steps.size() - 1).getBatch().get(0);
    deleteBefore("empty-copy", last.getPartition(), last.getFirstOffset() + 1);
    long newest = versions("domain-2").size();

    Said gone = replay("--domain", "domain-2", "--examples", "empty-copy");

    assertThat(gone.exitCode()).as("%s", gone).isEqualTo(3);
    assertThat(gone.out().get(0))
        .endsWith(
            "no longer in the topic; no snapshot before version %d is late enough"
                .formatted(newest));
  }

  @Test
  void ofAPrunedVersionItIsSaidWhatCanBeTrainedWithoutIt() throws Exception {
    AdapterVersion pruned = versions("domain-1").get(2L);
    send(pruned, null);
    try {
      long newest = versions("domain-1").size() + 1L;
      Said itself = replay("--domain", "domain-1", "--version", "2");
      Said base = replay("--domain", "domain-1");
      Said snapshot = replay("--domain", "domain-1", "--from", "2");
      Said before = replay("--domain", "domain-1", "--version", "1");

      assertThat(itself.exitCode()).as("%s", itself).isEqualTo(3);
      assertThat(itself.out().get(0))
          .isEqualTo("version 2 of domain-1 was pruned; there are 1 to " + newest);
      assertThat(base.exitCode()).as("%s", base).isEqualTo(3);
      assertThat(base.out().get(0))
          .isEqualTo(
              "domain-1: how it was trained up to step 4 is no longer on record, because versions"
                  + " were pruned; --from snapshot starts later, --from 2 as early as possible");
      assertThat(snapshot.exitCode()).as("%s", snapshot).isZero();
      assertThat(snapshot.text()).contains("from version 2 on: the same, bit for bit");
      assertThat(before.exitCode()).as("%s", before).isZero();
    } finally {
      publish(pruned);
    }
  }

  @Test
  void whatAPruningTookIsNamedAndWhatStaysIsReplayedFromItsSnapshot() {
    Collection<AdapterVersion> all = versions("domain-1").values();
    try {
      Said pruned = millrace("adapters", "prune", "--keep", "1", "--domain", "domain-1");
      assertThat(pruned.exitCode()).as("%s", pruned).isZero();
      assertThat(versions("domain-1")).hasSizeBetween(1, all.size() - 1);
      assertThat(pruned.out().get(0))
          .startsWith("domain-1: deleted 1")
          .contains("a replay reaches the newest --from ");

      Said whole = replay("--domain", "domain-1");
      assertThat(whole.exitCode()).as("%s", whole).isEqualTo(3);
      assertThat(whole.text()).contains("because versions were pruned; --from snapshot starts");
      Said rest = replay("--domain", "domain-1", "--from", "snapshot");
      assertThat(rest.exitCode()).as("%s", rest).isZero();
      assertThat(rest.text()).contains("the same, bit for bit");
      Said gone = replay("--domain", "domain-1", "--version", "1");
      assertThat(gone.exitCode()).as("%s", gone).isEqualTo(3);
      assertThat(gone.text()).contains("version 1 of domain-1 was pruned");
    } finally {
      all.forEach(ReplayCommandTest::publish);
    }
  }

  @Test
  void otherSettingsAreAWhatIf() {
    Map<Long, AdapterVersion> before = versions("domain-1");

    Said said = replay("--domain", "domain-1", "--set", "svft.pattern=banded:2");
    Said unchanged = replay("--domain", "domain-1", "--set", "svft.pattern=plain");

    assertThat(said.exitCode()).as("%s", said).isZero();
    assertThat(said.text())
        .contains("what if", "svft.pattern=banded:2 (recorded: plain)", "accuracy", "68,904")
        .contains("the first step with another state is 1");
    assertThat(unchanged.text()).contains("the same, bit for bit");
    assertThat(versions("domain-1")).isEqualTo(before);
  }

  @Test
  void aMistakeIsOneLineAndExitCodeTwo() {
    Map<String, List<String>> mistakes =
        Map.of(
            "--domain or --all is needed", List.of(),
            "leave --version out", List.of("--all", "--version", "1"),
            "\"yesterday\" is not 0, snapshot", List.of("--all", "--from", "yesterday"),
            "there is no topic elsewhere",
                List.of("--domain", "domain-0", "--examples", "elsewhere"),
            "batch.size: a replay takes batches",
                List.of("--domain", "domain-0", "--set", "batch.size=8"),
            "training.learningRat", List.of("--all", "--set", "training.learningRat=1"));
    mistakes.forEach((told, arguments) -> assertRefused(ExitCode.USAGE, told, arguments));
  }

  @Test
  void whatIsNotThereAndAFailureHaveOtherExitCodesThanADifference() {
    assertRefused(ExitCode.NOT_FOUND, "nowhere", List.of("--domain", "nowhere"));
    assertRefused(
        ExitCode.NOT_FOUND,
        "has no version 99",
        List.of("--domain", "domain-0", "--version", "99"));
    assertRefused(
        ExitCode.NOT_FOUND, "has no snapshot", List.of("--domain", "domain-0", "--from", "1"));
    Said away =
        Said.run(
            "replay",
            "--set",
            STORE,
            "--set=kafka.bootstrap.servers=127.0.0.1:1",
            "--set=kafka.default.api.timeout.ms=500");
    assertThat(away.exitCode()).as("%s", away).isEqualTo(ExitCode.NOT_COMPARED);
    assertThat(away.line()).contains("127.0.0.1:1");
  }

  private static void assertRefused(int exitCode, String told, List<String> arguments) {
    Said said = replay(arguments.toArray(String[]::new));
    assertThat(said.exitCode()).as("%s", said).isEqualTo(exitCode);
    assertThat(said.line()).startsWith("millrace: ").contains(told);
  }

  /** Replays the version's domain with a changed record in the place of its own. */
  private static Said replayWith(AdapterVersion version, UnaryOperator<AdapterVersion> change) {
    publish(change.apply(AdapterVersion.newBuilder(version).build()));
    try {
      return replay("--domain", version.getDomain());
    } finally {
      publish(version);
    }
  }

  private static byte[] bytes(ByteBuffer buffer) {
    byte[] bytes = new byte[buffer.remaining()];
    buffer.duplicate().get(bytes);
    return bytes;
  }

  private static void publish(AdapterVersion version) {
    send(version, connection.serializer().serialize(Topics.ADAPTERS, version));
  }

  /**
   * @param value null for a tombstone
   */
  private static void send(AdapterVersion version, byte[] value) {
    try (KafkaProducer<byte[], byte[]> producer = producer()) {
      producer.send(
          new ProducerRecord<>(
              Topics.ADAPTERS,
              partition(version.getDomain()),
              Topics.adapterKey(version.getDomain(), version.getVersion()),
              value));
    }
  }

  private static void deleteBefore(String topic, int partition, long offset) throws Exception {
    try (Admin admin = Admin.create(connection.properties())) {
      admin
          .deleteRecords(
              Map.of(new TopicPartition(topic, partition), RecordsToDelete.beforeOffset(offset)))
          .all()
          .get();
    }
  }

  /** As the job chooses it. */
  private static int partition(String domain) {
    byte[] key = domain.getBytes(StandardCharsets.UTF_8);
    return Utils.toPositive(Utils.murmur2(key)) % PARTITIONS;
  }

  private static KafkaProducer<byte[], byte[]> producer() {
    Properties properties = connection.properties();
    // A topic that was just made refuses for a moment, and records must not overtake each other.
    properties.put("max.in.flight.requests.per.connection", "1");
    return new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer());
  }

  /** The examples at their offsets, one of them with another label. */
  private static void copyExamples(String topic, int partition, long offset) throws Exception {
    try (Admin admin = Admin.create(connection.properties());
        CommittedTopic examples = new CommittedTopic(connection, Topics.LABELED_EXAMPLES);
        KafkaProducer<byte[], byte[]> producer = producer()) {
      admin.createTopics(List.of(new NewTopic(topic, PARTITIONS, (short) 1))).all().get();
      Map<Integer, Long> next = new HashMap<>();
      List<Future<RecordMetadata>> sent = new ArrayList<>();
      examples.forEach(
          record -> {
            // Where a transaction's marker stands in the original, something must stand here.
            long at = next.getOrDefault(record.partition(), 0L);
            for (; at < record.offset(); at++) {
              producer.send(new ProducerRecord<>(topic, record.partition(), null, new byte[0]));
            }
            next.put(record.partition(), at + 1);
            boolean alter = record.partition() == partition && record.offset() == offset;
            sent.add(
                producer.send(
                    new ProducerRecord<>(
                        topic,
                        record.partition(),
                        record.key(),
                        alter ? withAnotherLabel(record) : record.value())));
          });
      for (Future<RecordMetadata> each : sent) {
        each.get();
      }
    }
  }

  private static byte[] withAnotherLabel(ConsumerRecord<byte[], byte[]> record) {
    LabeledExample example =
        connection.deserializer(LabeledExample.class).deserialize(record.topic(), record.value());
    example.setLabel("altered");
    return connection.serializer().serialize(Topics.LABELED_EXAMPLES, example);
  }

  private static Map<Long, AdapterVersion> versions(String domain) {
    Map<Long, AdapterVersion> versions = new HashMap<>();
    try (AdapterLog<AdapterVersion> log = AdapterLog.open(connection)) {
      log.forEach(
          logged -> {
            if (logged.domain().equals(domain)) {
              versions.remove(logged.version());
              logged.published().ifPresent(version -> versions.put(logged.version(), version));
            }
          });
    }
    return versions;
  }

  private static List<TrainingStep> steps(String domain) {
    List<TrainingStep> steps = new ArrayList<>();
    try (CommittedTopic topic = new CommittedTopic(connection, Topics.TRAINING_STEPS)) {
      topic.forEach(
          record -> {
            TrainingStep step =
                connection
                    .deserializer(TrainingStep.class)
                    .deserialize(record.topic(), record.value());
            if (step.getDomain().equals(domain)) {
              steps.add(step);
            }
          });
    }
    return steps;
  }

  private static Said replay(String... arguments) {
    List<String> all = new ArrayList<>(List.of("replay", "--set", STORE));
    all.addAll(List.of(arguments));
    return millrace(all.toArray(String[]::new));
  }

  private static Said millrace(String... arguments) {
    List<String> all = new ArrayList<>(List.of(arguments));
    for (String set :
        List.of(
            "kafka.bootstrap.servers=" + stack.bootstrapServers(),
            "schema.registry.url=" + stack.registryUrl())) {
      all.addAll(List.of("--set", set));
    }
    return Said.run(all.toArray(String[]::new));
  }
}
