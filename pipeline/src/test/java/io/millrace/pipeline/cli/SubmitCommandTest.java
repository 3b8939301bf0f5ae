package io.millrace.pipeline.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.client.kafka.Connection;
import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.settings.JobSettings;
import io.millrace.pipeline.submission.ExampleTimestamps;
import io.millrace.pipeline.submission.JobTopics;
import io.millrace.schemas.Topics;
import io.millrace.testing.Await;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.Services;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.config.ConfigResource;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import picocli.CommandLine;

/** What {@code submit} asks of Kafka before it turns to Flink, of which there is none here. */
@ExtendWith(Services.class)
@Tag("integration")
@Timeout(120)
class SubmitCommandTest {
  private static final String CREATE_TIME = "CreateTime";

  private final StringWriter said = new StringWriter();

  private KafkaBroker kafka;
  private Admin admin;

  @BeforeEach
  void start(KafkaBroker broker) throws Exception {
    broker.clear();
    kafka = broker;
    admin = Admin.create(Map.of("bootstrap.servers", kafka.bootstrapServers()));
  }

  @AfterEach
  void stop() {
    admin.close();
  }

  @Test
  void aTopicThatItsProducersStampIsRefusedWithTheWayOut() throws Exception {
    makeTopic(CREATE_TIME);

    assertThat(submit())
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("topic labeled-examples has message.timestamp.type=CreateTime")
        .hasMessageContaining(
            "kafka-configs.sh --bootstrap-server "
                + kafka.bootstrapServers()
                + " --alter --entity-type topics --entity-name labeled-examples --add-config"
                + " message.timestamp.type=LogAppendTime, or")
        .hasMessageContaining("batch.allowCreateTime=true");
  }

  @Test
  void itIsTakenWhereItIsAllowedOrNoTimeClosesBatchesOrTheTopicIsChanged() throws Exception {
    makeTopic(CREATE_TIME);

    assertThat(check("batch.allowCreateTime=true")).isEmpty();
    assertThat(check("batch.timeout=none")).isEmpty();

    AlterConfigOp change =
        new AlterConfigOp(
            new ConfigEntry("message.timestamp.type", "LogAppendTime"), AlterConfigOp.OpType.SET);
    admin.incrementalAlterConfigs(Map.of(topic(), List.of(change))).all().get();
    awaitType("LogAppendTime");

    assertThat(check("batch.timeout=5s")).isEmpty();
  }

  /** As where the brokers forbid it: whoever may submit need not be one who may ask. */
  @Test
  void whereKafkaDoesNotSayThereIsAWarning() throws Exception {
    assertThat(submit()).hasMessageContaining("no Flink session answers at 127.0.0.1:1");

    assertThat(said.toString())
        .startsWith("Warning: Kafka does not say whether message.timestamp.type of topic")
        .hasLineCount(1);
    assertThat(check("kafka.bootstrap.servers=nowhere.invalid:9092")).isPresent();
  }

  /** As a Kafka does that was set up by a release without rollouts. */
  @Test
  void topicsThatAreMissingAreNamed() throws Exception {
    makeTopic("LogAppendTime");
    Connection connection = new Connection(connected());

    assertThatThrownBy(() -> JobTopics.require(connection))
        .isInstanceOf(UsageException.class)
        .hasMessage(
            "Kafka at %s lacks adapters, training-steps, training-snapshots, rollouts,"
                    .formatted(kafka.bootstrapServers())
                + " dead-letters, training-progress: bin/millrace topics makes what is missing");
  }

  private Exception submit() {
    List<Exception> failures = new ArrayList<>();
    new CommandLine(new SubmitCommand())
        .setOut(new PrintWriter(said, true))
        .setErr(new PrintWriter(said, true))
        .setExecutionExceptionHandler(
            (failure, command, parsed) -> {
              failures.add(failure);
              return 1;
            })
        .execute(
            "--flink=127.0.0.1:1", "--set", "kafka.bootstrap.servers=" + kafka.bootstrapServers());
    return failures.get(0);
  }

  private Optional<String> check(String setting) throws Exception {
    return ExampleTimestamps.check(connected(setting));
  }

  private Settings connected(String... settings) {
    List<Setting<?>> known =
        Stream.of(JobSettings.ALL, Connection.SETTINGS).<Setting<?>>flatMap(List::stream).toList();
    List<String> all =
        new ArrayList<>(List.of("kafka.bootstrap.servers=" + kafka.bootstrapServers()));
    all.addAll(List.of(settings));
    return Settings.of(known, null, all);
  }

  private void makeTopic(String type) throws Exception {
    NewTopic topic =
        new NewTopic(Topics.LABELED_EXAMPLES, Optional.of(1), Optional.empty())
            .configs(Map.of("message.timestamp.type", type));
    admin.createTopics(List.of(topic)).all().get();
    awaitType(type);
  }

  /** A broker knows of a change a moment after it was made. */
  private void awaitType(String type) throws Exception {
    Await.value(
        "the broker knows the topic",
        () -> admin.listTopics().names().get(),
        names -> names.contains(Topics.LABELED_EXAMPLES));
    Await.value(
        "message.timestamp.type is " + type,
        () ->
            admin
                .describeConfigs(List.of(topic()))
                .all()
                .get()
                .get(topic())
                .get("message.timestamp.type")
                .value(),
        type::equals);
  }

  private static ConfigResource topic() {
    return new ConfigResource(ConfigResource.Type.TOPIC, Topics.LABELED_EXAMPLES);
  }
}
