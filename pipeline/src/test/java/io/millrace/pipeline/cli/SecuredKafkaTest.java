package io.millrace.pipeline.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.client.kafka.Connection;
import io.millrace.client.settings.Settings;
import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.Topics;
import io.millrace.testing.ApicurioRegistry;
import io.millrace.testing.Certificates;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.Services;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.Deserializer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** A Kafka that asks for TLS and a password, and the commands as a user runs them. */
@Tag("integration")
@ExtendWith(Services.class)
class SecuredKafkaTest {
  private static final String PASSWORD = "open-sesame";

  @TempDir static Path directory;
  private static KafkaBroker kafka;
  private static ApicurioRegistry registry;
  private static Path trust;

  @BeforeAll
  static void start(ApicurioRegistry schemas) throws Exception {
    registry = schemas;
    Certificates certificates = new Certificates(directory);
    Path key = certificates.keyStore("broker");
    trust = certificates.trustStore(key);
    kafka = KafkaBroker.secured(key, Map.of("ada", PASSWORD));
  }

  @AfterAll
  static void stop() throws Exception {
    kafka.close();
  }

  @Test
  void withCredentialsExamplesAreSentAndRead() throws Exception {
    Path settings = settings("good", "SASL_SSL", PASSWORD);
    Path file = directory.resolve("examples.jsonl");
    Files.writeString(file, "{\"domain\":\"films\",\"text\":\"fine\",\"label\":\"good\"}\n");

    assertThat(run(0, "topics", "--config", settings.toString()))
        .anyMatch(line -> line.startsWith("Made labeled-examples"));
    List<String> said = run(0, "produce", file.toString(), "--config", settings.toString());

    assertThat(said).noneMatch(line -> line.contains(PASSWORD));
    assertThat(read(settings)).extracting(LabeledExample::getText).containsExactly("fine");
  }

  @Test
  void withoutThemNothingIsGivenAndOneLineSaysSo() throws Exception {
    List<String> wrong = topics(settings("wrong", "SASL_SSL", "guess-word"));
    assertThat(wrong)
        .singleElement()
        .asString()
        .startsWith("millrace: cannot make the topics at " + kafka.securedServers())
        .contains("Authentication failed: Invalid username or password")
        .doesNotContain("guess-word");

    for (String protocol : List.of("PLAINTEXT", "SSL", "SASL_PLAINTEXT")) {
      assertThat(topics(settings(protocol, protocol, PASSWORD)))
          .as(protocol)
          .singleElement()
          .asString()
          .startsWith("millrace: ")
          .contains("kafka.security.protocol")
          .doesNotContain(PASSWORD);
    }
  }

  private static List<String> topics(Path settings) throws Exception {
    return run(1, "topics", "--config", settings.toString());
  }

  private static List<String> run(int exitCode, String... arguments) throws Exception {
    try (ChildJvm command =
        new ChildJvm(directory.resolve("logs"), MillraceCommand.class.getName(), arguments)) {
      List<String> said = command.awaitEnd();
      assertThat(command.exitCode()).as("%s", said).isEqualTo(exitCode);
      return said;
    }
  }

  private static Path settings(String name, String protocol, String password) throws Exception {
    List<String> lines =
        new ArrayList<>(
            List.of(
                "kafka.bootstrap.servers=" + kafka.securedServers(),
                "kafka.security.protocol=" + protocol,
                "kafka.default.api.timeout.ms=5000",
                "kafka.request.timeout.ms=2500",
                "kafka.ssl.truststore.location=" + trust,
                "kafka.ssl.truststore.type=PKCS12",
                "kafka.ssl.truststore.password=" + Certificates.PASSWORD,
                "schema.registry.url=" + registry.url()));
    if (protocol.startsWith("SASL")) {
      lines.add("kafka.sasl.mechanism=PLAIN");
      lines.add(
          "kafka.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required"
              + " username=\"ada\" password=\"%s\";".formatted(password));
    }
    return Files.write(directory.resolve(name + ".properties"), lines);
  }

  private static List<LabeledExample> read(Path file) {
    Connection connection = new Connection(Settings.of(Connection.SETTINGS, file, List.of()));
    Properties properties = connection.properties();
    properties.put("isolation.level", "read_committed");
    List<LabeledExample> read = new ArrayList<>();
    try (KafkaConsumer<byte[], byte[]> consumer =
            new KafkaConsumer<>(
                properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
        Deserializer<LabeledExample> reader = connection.deserializer(LabeledExample.class)) {
      List<TopicPartition> partitions =
          consumer.partitionsFor(Topics.LABELED_EXAMPLES).stream()
              .map(partition -> new TopicPartition(partition.topic(), partition.partition()))
              .toList();
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
      while (partitions.stream().anyMatch(p -> consumer.position(p) < ends.get(p))) {
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
          read.add(reader.deserialize(record.topic(), record.value()));
        }
      }
    }
    return read;
  }
}
