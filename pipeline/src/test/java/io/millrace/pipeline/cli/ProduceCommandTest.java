package io.millrace.pipeline.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.client.kafka.Connection;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.TestStack;
import io.millrace.pipeline.embedded.TopicLayout;
import io.millrace.testing.ApicurioRegistry;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.Services;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** What whoever sends a file is told of lines that are no examples. */
@ExtendWith(Services.class)
@Tag("integration")
@Timeout(120)
class ProduceCommandTest {
  private static final String BAD = "{\"domain\": \"reviews\", \"text\": \"A fine film.\"}\n";
  private static final String GOOD =
      "{\"domain\": \"reviews\", \"text\": \"A fine film.\", \"label\": \"positive\"}\n";

  @TempDir private Path directory;

  private Connection connection;

  @BeforeEach
  void connect(KafkaBroker kafka, ApicurioRegistry registry) throws Exception {
    Settings settings =
        Settings.of(
            Stream.concat(Connection.SETTINGS.stream(), Stream.of(TopicLayout.PARTITIONS)).toList(),
            null,
            List.of());
    connection = new Connection(TestStack.renew(kafka, registry, settings).connect(settings));
  }

  @Test
  void aFileWithoutAnyExampleIsAFailure() throws Exception {
    Said said = produce(BAD + BAD + "no JSON\n");

    assertThat(said.exitCode()).as("%s", said).isEqualTo(1);
    assertThat(said.text()).contains("0 examples and 3 dead letters are in Kafka");
    assertThat(said.line())
        .endsWith(
            "file.jsonl holds no example that can be trained on: 2 MissingLabel, 1 BrokenJson"
                + " (a line needs domain, text and label)");
  }

  @Test
  void badLinesAmongExamplesAreNoFailure() throws Exception {
    Said said = produce(BAD + GOOD);

    assertThat(said.exitCode()).as("%s", said).isZero();
    assertThat(said.text()).contains("1 examples and 1 dead letters are in Kafka");
    assertThat(said.err()).isEmpty();
  }

  private Said produce(String lines) throws Exception {
    Path file = Files.writeString(directory.resolve("file.jsonl"), lines);
    return Said.run(
        "produce",
        "--input",
        file.toString(),
        "--set=kafka.bootstrap.servers=" + connection.bootstrapServers(),
        "--set=schema.registry.url=" + connection.registryUrl());
  }
}
