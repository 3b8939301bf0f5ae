package io.millrace.pipeline.input;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import io.millrace.client.kafka.Connection;
import io.millrace.client.process.Home;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.TestStack;
import io.millrace.pipeline.embedded.EmbeddedStack;
import io.millrace.pipeline.records.CommittedTopic;
import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.Topics;
import io.millrace.testing.ApicurioRegistry;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.Services;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.kafka.common.serialization.Deserializer;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** The table of docs/schemas.md, made and written to by Flink SQL, gives examples. */
@ExtendWith(Services.class)
@Tag("integration")
@Timeout(180)
class FlinkSqlTest {
  private static final Pattern TABLE =
      Pattern.compile("```sql\n(CREATE TABLE examples .*?;)\n```", Pattern.DOTALL);

  @TempDir private Path directory;

  @Test
  void rowsOfTheTableInTheDocumentationAreExamples(KafkaBroker kafka, ApicurioRegistry registry)
      throws Exception {
    List<Setting<?>> all =
        Stream.of(EmbeddedStack.SETTINGS, Connection.SETTINGS)
            .<Setting<?>>flatMap(List::stream)
            .toList();
    Settings defaults = Settings.of(all, null, List.of());
    Connection connection =
        new Connection(TestStack.renew(kafka, registry, defaults).connect(defaults));

    run(
        table(connection)
            + """

            INSERT INTO examples VALUES
              ('reviews', 'Works like new.', 'positive',
               TIMESTAMP '2026-01-31 12:00:00.123', MAP['source', 'tickets']),
              ('reviews', 'Broke in a week.', 'negative', CAST(NULL AS TIMESTAMP(3)),
               CAST(NULL AS MAP<STRING, STRING>));
            """);

    assertThat(examples(connection))
        .extracting(
            LabeledExample::getDomain,
            LabeledExample::getText,
            LabeledExample::getLabel,
            LabeledExample::getEventTime,
            LabeledExample::getMetadata)
        .containsExactlyInAnyOrder(
            tuple(
                "reviews",
                "Works like new.",
                "positive",
                Instant.parse("2026-01-31T12:00:00.123Z"),
                Map.of("source", "tickets")),
            tuple("reviews", "Broke in a week.", "negative", null, Map.of()));
  }

  private static String table(Connection connection) throws Exception {
    Matcher table =
        TABLE.matcher(Files.readString(Home.directory().resolve("docs").resolve("schemas.md")));
    assertThat(table.find()).isTrue();
    String sql = table.group(1);
    assertThat(sql).contains("'127.0.0.1:9092'", "'http://127.0.0.1:8081/apis/ccompat/v7'");
    return sql.replace("127.0.0.1:9092", connection.bootstrapServers())
        .replace("http://127.0.0.1:8081/apis/ccompat/v7", connection.registryUrl());
  }

  /** In a process with Flink's own format for Avro in place of ours. */
  private void run(String statements) throws Exception {
    Path file = Files.writeString(directory.resolve("statements.sql"), statements);
    Path sql = Home.directory().resolve("pipeline").resolve("target").resolve("flink-sql");
    String classPath =
        sql
            + "/*"
            + File.pathSeparator
            + Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator))
                .filter(entry -> !Path.of(entry).getFileName().toString().matches("flink-avro-.*"))
                .collect(Collectors.joining(File.pathSeparator));
    Path output = directory.resolve("output.log");
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx512m",
                "--add-opens=java.base/java.util=ALL-UNNAMED",
                "-cp",
                classPath,
                SqlStatements.class.getName(),
                file.toString())
            .redirectErrorStream(true)
            .redirectOutput(output.toFile())
            .start();
    try {
      assertThat(process.waitFor(150, TimeUnit.SECONDS)).isTrue();
      assertThat(process.exitValue()).as("%s", Files.readString(output)).isZero();
    } finally {
      process.destroyForcibly();
    }
  }

  private static List<LabeledExample> examples(Connection connection) {
    List<LabeledExample> examples = new ArrayList<>();
    Deserializer<LabeledExample> reader = connection.deserializer(LabeledExample.class);
    try (CommittedTopic topic = new CommittedTopic(connection, Topics.LABELED_EXAMPLES)) {
      topic.forEach(record -> examples.add(reader.deserialize(record.topic(), record.value())));
    }
    return examples;
  }
}
