package io.millrace.pipeline.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.client.kafka.Connection;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.TestStack;
import io.millrace.pipeline.embedded.EmbeddedFlink;
import io.millrace.pipeline.embedded.TopicLayout;
import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.Topics;
import io.millrace.testing.ApicurioRegistry;
import io.millrace.testing.Await;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.Services;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
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
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Whose state {@code submit} takes, where several jobs and branches share one directory. */
@ExtendWith(Services.class)
@Tag("integration")
@Timeout(180)
class SubmitLineageTest {
  @TempDir private Path directory;

  private Settings connection;
  private EmbeddedFlink flink;

  @BeforeEach
  void start(KafkaBroker kafka, ApicurioRegistry registry) throws Exception {
    Settings settings =
        Settings.of(
            Stream.concat(Connection.SETTINGS.stream(), Stream.of(TopicLayout.PARTITIONS)).toList(),
            null,
            List.of());
    connection = TestStack.renew(kafka, registry, settings).connect(settings);
    flink = EmbeddedFlink.start(directory.resolve("flink"), 0, 1);
    send();
  }

  @AfterEach
  void stop() {
    flink.close();
  }

  @Test
  void twoJobsInOneDirectoryKeepTheirStates() throws Exception {
    Path first = run("reviews", "none", 1);
    Path second = run("mails", "none", 1);

    run("reviews", "latest", 1);
    assertThat(said).contains("It goes on from " + uri(first));
    run("mails", "latest", 1);
    assertThat(said).contains("It goes on from " + uri(second));
  }

  @Test
  void anAbandonedBranchDoesNotComeBack() throws Exception {
    Path old = run("reviews", "none", 5);
    Path fresh = run("reviews", "none", 1);

    assertThat(said)
        .contains("It starts without state")
        .anyMatch(line -> line.startsWith("It leaves what job reviews has trained since the start"))
        .anyMatch(line -> line.endsWith("is " + uri(old) + ", which --from takes up again"));

    run("reviews", "latest", 1);
    assertThat(said).contains("It goes on from " + uri(fresh));
  }

  /** What the last submit printed. */
  private List<String> said = List.of();

  private static String uri(Path path) {
    return path.toUri().toString().replace("file:///", "file:/").replaceAll("/$", "");
  }

  /** Submits, waits for that checkpoint, and cancels; gives the start's newest checkpoint. */
  private Path run(String name, String from, int checkpoint) throws Exception {
    Path checkpoints = directory.resolve("checkpoints");
    Said answer =
        Said.run(
            "submit",
            "--flink=127.0.0.1:" + flink.port(),
            "--from=" + from,
            "--set=kafka.bootstrap.servers=" + connection.get(Connection.BOOTSTRAP_SERVERS),
            "--set=schema.registry.url=" + connection.get(Connection.REGISTRY_URL),
            "--set=checkpoint.directory=" + checkpoints,
            "--set=checkpoint.interval=200ms",
            "--set=job.name=" + name,
            "--set=model.store=" + System.getProperty("millrace.test.models"));
    assertThat(answer.err()).isEmpty();
    said = answer.out();
    String id = said.get(0).substring(said.get(0).lastIndexOf(' ') + 1);
    Await.until(
        "checkpoint " + checkpoint,
        Duration.ofMinutes(1),
        () -> number(newest(checkpoints.resolve(id))) >= checkpoint);
    HttpClient http = HttpClient.newHttpClient();
    URI job = URI.create("http://127.0.0.1:" + flink.port() + "/jobs/" + id);
    http.send(
        HttpRequest.newBuilder(job).method("PATCH", BodyPublishers.noBody()).build(),
        BodyHandlers.discarding());
    Await.value(
        "the job is cancelled",
        () -> http.send(HttpRequest.newBuilder(job).build(), BodyHandlers.ofString()).body(),
        body -> body.contains("\"state\":\"CANCELED\""));
    return newest(checkpoints.resolve(id));
  }

  private static Path newest(Path folder) throws Exception {
    if (!Files.isDirectory(folder)) {
      return null;
    }
    try (Stream<Path> entries = Files.list(folder)) {
      return entries
          .filter(path -> Files.exists(path.resolve("_metadata")))
          .max(Comparator.comparingInt(SubmitLineageTest::number))
          .orElse(null);
    }
  }

  private static int number(Path checkpoint) {
    return checkpoint == null
        ? 0
        : Integer.parseInt(checkpoint.getFileName().toString().substring("chk-".length()));
  }

  private void send() {
    Connection kafka = new Connection(connection);
    List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
    try (Serializer<Object> serializer = kafka.serializer();
        KafkaProducer<byte[], byte[]> producer =
            new KafkaProducer<>(
                kafka.properties(), new ByteArraySerializer(), new ByteArraySerializer())) {
      for (int i = 0; i < 16; i++) {
        LabeledExample example =
            new LabeledExample("e" + i, "reviews", "It works.", "positive", null, 1f, Map.of());
        records.add(
            new ProducerRecord<>(
                Topics.LABELED_EXAMPLES,
                "reviews".getBytes(UTF_8),
                serializer.serialize(Topics.LABELED_EXAMPLES, example)));
      }
      records.forEach(producer::send);
      producer.flush();
    }
  }
}
