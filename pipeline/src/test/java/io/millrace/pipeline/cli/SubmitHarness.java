package io.millrace.pipeline.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.millrace.client.kafka.Connection;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.TestStack;
import io.millrace.pipeline.embedded.EmbeddedFlink;
import io.millrace.pipeline.embedded.TopicLayout;
import io.millrace.pipeline.records.CommittedTopic;
import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.Topics;
import io.millrace.schemas.TrainingStep;
import io.millrace.testing.ApicurioRegistry;
import io.millrace.testing.Await;
import io.millrace.testing.KafkaBroker;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serializer;

/** The tests' Kafka and registry, a Flink session of one slot, and the commands that use them. */
final class SubmitHarness implements AutoCloseable {
  private final Path directory;
  private final Connection connection;
  private EmbeddedFlink flink;
  private int sent;

  SubmitHarness(Path directory, KafkaBroker kafka, ApicurioRegistry registry) throws Exception {
    this(directory, kafka, registry, 4);
  }

  SubmitHarness(Path directory, KafkaBroker kafka, ApicurioRegistry registry, int partitions)
      throws Exception {
    this.directory = directory;
    Settings settings =
        Settings.of(
            Stream.concat(Connection.SETTINGS.stream(), Stream.of(TopicLayout.PARTITIONS)).toList(),
            null,
            List.of("topics.partitions=" + partitions));
    connection = new Connection(TestStack.renew(kafka, registry, settings).connect(settings));
    flink = EmbeddedFlink.start(directory.resolve("flink"), 0, 1);
  }

  /** Runs {@code submit}. */
  Said submit(String... more) {
    return Said.run(arguments("submit", more));
  }

  /** Runs {@code stop}. */
  Said stop(String... more) {
    return Said.run(arguments("stop", more));
  }

  /** A command, its connections, and options of its own. */
  String[] arguments(String command, String... more) {
    List<String> all =
        new ArrayList<>(
            List.of(
                command,
                "--flink=127.0.0.1:" + flink.port(),
                "--set=kafka.bootstrap.servers=" + connection.bootstrapServers(),
                "--set=schema.registry.url=" + connection.registryUrl(),
                "--set=checkpoint.directory=" + checkpoints(),
                "--set=checkpoint.interval=200ms",
                "--set=batch.size=8",
                "--set=batch.timeout=none",
                "--set=model.store=" + System.getProperty("millrace.test.models")));
    all.addAll(List.of(more));
    return all.toArray(String[]::new);
  }

  EmbeddedFlink flink() {
    return flink;
  }

  /** Ends the session with all that it knows, and starts another one at its address. */
  void replaceSession() {
    int port = flink.port();
    flink.close();
    flink = EmbeddedFlink.start(directory.resolve("flink-2"), port, 1);
  }

  Path checkpoints() {
    return directory.resolve("checkpoints");
  }

  /** The id of a job that was submitted. */
  static String id(Said submitted) {
    String first = submitted.out().get(0);
    return first.substring(first.lastIndexOf(' ') + 1);
  }

  /** Waits until a start has that checkpoint, or a later one. */
  void awaitCheckpoint(String start, int number) throws Exception {
    Await.until(
        "checkpoint " + number,
        Duration.ofMinutes(1),
        () -> {
          Path newest = newestCheckpoint(start);
          return newest != null && number(newest) >= number;
        });
  }

  /** The newest complete checkpoint of a start; null where it has none. */
  Path newestCheckpoint(String start) throws Exception {
    Path folder = checkpoints().resolve(start);
    if (!Files.isDirectory(folder)) {
      return null;
    }
    try (Stream<Path> entries = Files.list(folder)) {
      return entries
          .filter(path -> Files.exists(path.resolve("_metadata")))
          .max(Comparator.comparingInt(SubmitHarness::number))
          .orElse(null);
    }
  }

  private static int number(Path checkpoint) {
    return Integer.parseInt(checkpoint.getFileName().toString().substring("chk-".length()));
  }

  Connection connection() {
    return connection;
  }

  /** As Flink writes it. */
  static String uri(Path path) {
    return "file:" + path.toAbsolutePath();
  }

  /** Appends examples of the domain {@code reviews}. */
  void send(int count) {
    send("reviews", count);
  }

  /** Appends examples of a domain. */
  void send(String domain, int count) {
    try (Serializer<Object> serializer = connection.serializer();
        KafkaProducer<byte[], byte[]> producer =
            new KafkaProducer<>(
                connection.properties(), new ByteArraySerializer(), new ByteArraySerializer())) {
      for (int i = 0; i < count; i++, sent++) {
        String label = sent % 2 == 0 ? "positive" : "negative";
        LabeledExample example =
            new LabeledExample(
                "e" + sent, domain, label + " number " + sent, label, null, 1f, Map.of());
        producer.send(
            new ProducerRecord<>(
                Topics.LABELED_EXAMPLES,
                domain.getBytes(UTF_8),
                serializer.serialize(Topics.LABELED_EXAMPLES, example)));
      }
      producer.flush();
    }
  }

  /** Waits until that many steps are committed; gives them. */
  List<TrainingStep> awaitSteps(int count) throws Exception {
    return Await.value(
        count + " steps",
        Duration.ofMinutes(1),
        () -> {
          List<TrainingStep> steps = new ArrayList<>();
          try (CommittedTopic topic = new CommittedTopic(connection, Topics.TRAINING_STEPS)) {
            topic.forEach(
                record ->
                    steps.add(
                        connection
                            .deserializer(TrainingStep.class)
                            .deserialize(record.topic(), record.value())));
          }
          return steps;
        },
        steps -> steps.size() >= count);
  }

  @Override
  public void close() {
    flink.close();
  }
}
