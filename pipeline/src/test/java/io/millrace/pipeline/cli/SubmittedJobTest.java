package io.millrace.pipeline.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.client.kafka.Connection;
import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.embedded.EmbeddedFlink;
import io.millrace.pipeline.embedded.TopicLayout;
import io.millrace.schemas.Topics;
import io.millrace.testing.Await;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.Services;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.config.TopicConfig;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** What {@code submit} says of a job that Flink has taken. */
@ExtendWith(Services.class)
@Tag("integration")
@Timeout(120)
class SubmittedJobTest {
  @TempDir private Path directory;

  private final StringWriter said = new StringWriter();
  private final List<Exception> failures = new ArrayList<>();
  private final List<Exception> mistakes = new ArrayList<>();
  private KafkaBroker kafka;
  private EmbeddedFlink flink;

  @BeforeEach
  void start(KafkaBroker broker) throws Exception {
    broker.clear();
    kafka = broker;
    flink = EmbeddedFlink.start(directory.resolve("flink"), 0, 1);
    List<Setting<?>> known =
        Stream.concat(Connection.SETTINGS.stream(), Stream.of(TopicLayout.PARTITIONS)).toList();
    Settings settings =
        Settings.of(known, null, List.of("kafka.bootstrap.servers=" + kafka.bootstrapServers()));
    try (Admin admin = Admin.create(new Connection(settings).properties())) {
      TopicLayout.create(admin, settings);
    }
  }

  @AfterEach
  void stop() {
    flink.close();
  }

  @Test
  void aJobWhoseTasksRunIsRunning() {
    submit("model.store=" + System.getProperty("millrace.test.models"));

    assertThat(failures).isEmpty();
    assertThat(said.toString().lines().toList())
        .hasSize(3)
        .last()
        .isEqualTo("It is running; http://127.0.0.1:" + flink.port() + " shows it.");
  }

  @Test
  void aJobThatCannotStartIsNotAndTheReasonIsSaid() throws Exception {
    Path noStore = Files.createFile(directory.resolve("models"));
    submit("model.store=" + noStore);

    assertThat(failures)
        .singleElement()
        .asString()
        .contains("the job failed 3 times in the same way on the same input: ")
        .contains("adapt: FileAlreadyExistsException: " + noStore)
        .endsWith("; it stays submitted");
    assertThat(said.toString())
        .contains("the job restarts (1st time): adapt: FileAlreadyExistsException: " + noStore);
  }

  /** A client that cannot read the store does not know the model. */
  @Test
  void aJobWhoseVersionsFitIntoNoRecordFailsForGoodAtOnce() {
    URI store = Path.of(System.getProperty("millrace.test.models")).toUri();
    submit("model.store=" + store, "publish.recordBytes=1KiB");

    assertThat(failures)
        .singleElement()
        .asString()
        .contains(
            "the job failed: a version of minilm with the adapter method svft:plain takes more than"
                + " 55296 bytes, a record of the topic adapters holds 1024");
    assertThat(said.toString()).doesNotContain("restarts");
  }

  @Test
  void whatTheTopicsCannotHoldIsRefusedBeforeTheJobIsSent() throws Exception {
    limit(Topics.ADAPTERS, 50_000);
    submit("model.store=" + System.getProperty("millrace.test.models"));
    limit(Topics.DEAD_LETTERS, 100_000);
    submit("model.store=" + System.getProperty("millrace.test.models"));

    assertThat(failures).isEmpty();
    assertThat(mistakes)
        .extracting(Exception::getMessage)
        .containsExactly(
            "svft:plain: a version of minilm takes more than 55296 bytes, a record of the topic"
                + " adapters holds 50000: adapt fewer weights (adapter.weights), or choose another"
                + " adapter.method",
            "the topic dead-letters takes records of 100000 bytes, a dead letter may have 1048576:"
                + " raise its max.message.bytes, or lower limits.recordBytes");
    assertThat(said.toString()).doesNotContain("submitted");
  }

  private void limit(String topic, int bytes) throws Exception {
    try (Admin admin =
        Admin.create(Map.<String, Object>of("bootstrap.servers", kafka.bootstrapServers()))) {
      ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
      ConfigEntry entry =
          new ConfigEntry(TopicConfig.MAX_MESSAGE_BYTES_CONFIG, Integer.toString(bytes));
      admin
          .incrementalAlterConfigs(
              Map.of(resource, List.of(new AlterConfigOp(entry, AlterConfigOp.OpType.SET))))
          .all()
          .get();
      Await.value(
          "the broker knows",
          () ->
              admin
                  .describeConfigs(List.of(resource))
                  .all()
                  .get()
                  .get(resource)
                  .get(TopicConfig.MAX_MESSAGE_BYTES_CONFIG)
                  .value(),
          Integer.toString(bytes)::equals);
    }
  }

  private void submit(String... settings) {
    List<String> arguments =
        new ArrayList<>(
            List.of(
                "--flink=127.0.0.1:" + flink.port(),
                "--set",
                "kafka.bootstrap.servers=" + kafka.bootstrapServers(),
                "--set",
                "checkpoint.directory=" + directory.resolve("checkpoints"),
                "--set",
                "flink.restart-strategy.exponential-delay.max-backoff=500 ms"));
    for (String setting : settings) {
      arguments.addAll(List.of("--set", setting));
    }
    new CommandLine(new SubmitCommand())
        .setOut(new PrintWriter(said, true))
        .setErr(new PrintWriter(said, true))
        .setExecutionExceptionHandler(
            (failure, command, parsed) -> {
              (failure instanceof UsageException ? mistakes : failures).add(failure);
              return 1;
            })
        .execute(arguments.toArray(String[]::new));
  }
}
