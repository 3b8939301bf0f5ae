package io.millrace.pipeline.upgrade;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.millrace.client.kafka.Connection;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.demo.WordNet;
import io.millrace.pipeline.embedded.EmbeddedFlink;
import io.millrace.pipeline.embedded.EmbeddedStack;
import io.millrace.pipeline.input.ExampleFile;
import io.millrace.pipeline.input.ExampleLimits;
import io.millrace.pipeline.input.ExampleProducer;
import io.millrace.pipeline.job.AdaptationJob;
import io.millrace.pipeline.records.CommittedTopic;
import io.millrace.pipeline.settings.JobSettings;
import io.millrace.pipeline.submission.FlinkJob;
import io.millrace.pipeline.submission.StartingState;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.Topics;
import io.millrace.schemas.TrainingSnapshot;
import io.millrace.schemas.TrainingStep;
import io.millrace.testing.Await;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;
import java.util.zip.ZipOutputStream;
import org.apache.avro.file.CodecFactory;
import org.apache.avro.file.DataFileReader;
import org.apache.avro.file.DataFileWriter;
import org.apache.avro.specific.SpecificDatumReader;
import org.apache.avro.specific.SpecificDatumWriter;
import org.apache.avro.specific.SpecificRecord;

/**
 * What a release left behind, in {@code src/test/resources/releases/<name>}: the savepoint of a job
 * that was stopped in mid-stream, and what it had published. {@link #main} makes that of the
 * present build; a directory that a release has carried is never changed.
 */
final class Release {
  /** Examples before the savepoint: each of the two domains has a batch that is not full. */
  static final int BEFORE = 90;

  /** Examples in all. */
  static final int EXAMPLES = 160;

  private static final String SAVEPOINT = "savepoint.zip";

  private final Path directory;

  Release(Path directory) {
    this.directory = directory;
  }

  /** All that there are. */
  static List<Release> all() throws IOException {
    try (Stream<Path> directories = Files.list(Path.of("src/test/resources/releases"))) {
      return directories.sorted().map(Release::new).toList();
    }
  }

  @Override
  public String toString() {
    return directory.getFileName().toString();
  }

  /** Unpacks the savepoint into a directory. */
  String savepoint(Path into) throws IOException {
    try (ZipInputStream zip =
        new ZipInputStream(Files.newInputStream(directory.resolve(SAVEPOINT)))) {
      Files.createDirectories(into);
      for (ZipEntry entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
        Files.copy(zip, into.resolve(entry.getName()));
      }
    }
    return into.toString();
  }

  /** What the release published on a topic, read by today's schema. */
  <T extends SpecificRecord> List<T> records(String topic, Class<T> type) throws IOException {
    List<T> records = new ArrayList<>();
    try (DataFileReader<T> file =
        new DataFileReader<>(
            directory.resolve(topic + ".avro").toFile(), new SpecificDatumReader<>(type))) {
      file.forEach(records::add);
    }
    return records;
  }

  /** The settings of the job that was stopped; the weights are few, to keep the files small. */
  static Settings settings(EmbeddedStack stack) {
    return stack.connect(
        Settings.of(
            known(),
            null,
            List.of(
                "adapter.weights=query",
                "batch.size=8",
                "batch.timeout=none",
                "publish.everySteps=2",
                "snapshot.everyVersions=2",
                "checkpoint.interval=200ms",
                "model.store=" + System.getProperty("millrace.test.models"))));
  }

  private static List<Setting<?>> known() {
    return Stream.of(
            JobSettings.ALL, ExampleLimits.SETTINGS, EmbeddedStack.SETTINGS, Connection.SETTINGS)
        .<Setting<?>>flatMap(List::stream)
        .toList();
  }

  static EmbeddedStack stack(Path data) {
    return EmbeddedStack.start(
        data, EmbeddedStack.Ports.FREE, Settings.of(known(), null, List.of()));
  }

  /** Sends some of the stream: the same records, at the same offsets, whenever it is called. */
  static void send(Settings settings, int from, int to, Path scratch) throws IOException {
    List<String> lines = new ArrayList<>();
    List<LabeledExample> stream = WordNet.load().definitions(EXAMPLES);
    for (int i = from; i < to; i++) {
      LabeledExample example = stream.get(i);
      lines.add(
          new ObjectMapper()
              .writeValueAsString(
                  Map.of(
                      "domain", "domain-" + i % 2,
                      "text", example.getText(),
                      "label", example.getLabel())));
    }
    Path file = Files.write(scratch.resolve(from + ".jsonl"), lines);
    new ExampleProducer(settings)
        .send(ExampleFile.open(file, read -> {}), ExampleProducer.Resume.NEVER_TWICE, sent -> {});
  }

  static FlinkJob submit(
      EmbeddedFlink flink,
      Settings settings,
      Path checkpoints,
      Optional<StartingState> start,
      AdaptationJob.Input input) {
    return FlinkJob.submit(
        "127.0.0.1", flink.port(), settings, checkpoints.toString(), start, input);
  }

  /** Waits until a job has trained on so many examples. */
  static void awaitExamples(FlinkJob job, Settings settings, long examples) throws Exception {
    Await.value(
        "%d examples are trained on".formatted(examples),
        Duration.ofMinutes(2),
        () -> {
          job.requireAlive();
          return examples(committed(settings, Topics.TRAINING_STEPS, TrainingStep.class));
        },
        trained -> trained >= examples);
  }

  static long examples(List<TrainingStep> steps) {
    return steps.stream().mapToLong(step -> step.getCorrect().size()).sum();
  }

  /** Records on a topic now. */
  static <T> List<T> committed(Settings settings, String topic, Class<T> type) {
    Connection connection = new Connection(settings);
    List<T> records = new ArrayList<>();
    try (CommittedTopic log = new CommittedTopic(connection, topic)) {
      log.forEach(
          record ->
              records.add(
                  connection.deserializer(type).deserialize(record.topic(), record.value())));
    }
    return records;
  }

  /**
   * Makes the files of the present build.
   *
   * @param args the directory to make
   */
  public static void main(String[] args) throws Exception {
    Path directory = Files.createDirectories(Path.of(args[0]));
    Path scratch = Files.createTempDirectory("millrace-release");
    try (EmbeddedStack stack = stack(scratch.resolve("data"));
        EmbeddedFlink flink = EmbeddedFlink.start(scratch.resolve("flink"), 0, 1)) {
      Settings settings = settings(stack);
      send(settings, 0, BEFORE, scratch);
      FlinkJob job =
          submit(
              flink,
              settings,
              scratch.resolve("checkpoints"),
              Optional.empty(),
              AdaptationJob.Input.UNBOUNDED);
      awaitExamples(job, settings, BEFORE - 2 * (BEFORE / 2 % 8));
      zip(
          Path.of(URI.create(job.stop(scratch.resolve("savepoints")))),
          directory.resolve(SAVEPOINT));
      write(directory, settings, Topics.ADAPTERS, AdapterVersion.class);
      write(directory, settings, Topics.TRAINING_STEPS, TrainingStep.class);
      write(directory, settings, Topics.TRAINING_SNAPSHOTS, TrainingSnapshot.class);
    }
  }

  private static void zip(Path from, Path to) throws IOException {
    try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(to));
        Stream<Path> files = Files.list(from)) {
      for (Path file : files.sorted().toList()) {
        zip.putNextEntry(new ZipEntry(file.getFileName().toString()));
        Files.copy(file, zip);
        zip.closeEntry();
      }
    }
  }

  private static <T extends SpecificRecord> void write(
      Path directory, Settings settings, String topic, Class<T> type) throws IOException {
    List<T> records = committed(settings, topic, type);
    try (DataFileWriter<T> file = new DataFileWriter<>(new SpecificDatumWriter<>(type))) {
      file.setCodec(CodecFactory.deflateCodec(9));
      file.create(records.get(0).getSchema(), directory.resolve(topic + ".avro").toFile());
      for (T record : records) {
        file.append(record);
      }
    }
  }
}
