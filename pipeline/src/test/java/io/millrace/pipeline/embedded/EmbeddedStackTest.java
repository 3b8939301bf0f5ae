package io.millrace.pipeline.embedded;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.embedded.EmbeddedStack.Ports;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.Topics;
import io.millrace.schemas.TrainingStep;
import io.millrace.schemas.registry.SchemaRefusedException;
import io.millrace.schemas.registry.SchemaRegistry;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.NetworkInterface;
import java.net.Socket;
import java.net.URI;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.avro.Schema;
import org.apache.avro.SchemaBuilder;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.config.ConfigResource.Type;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Tag("integration")
@Timeout(120)
class EmbeddedStackTest {
  @TempDir private static Path directory;
  private static EmbeddedStack stack;

  @BeforeAll
  static void start() {
    stack = EmbeddedStack.start(directory, Ports.FREE, settings("topics.partitions=3"));
  }

  @AfterAll
  static void stop() {
    stack.close();
  }

  @Test
  void everyTopicIsKeptAsTheDesignSays() throws Exception {
    try (Admin admin = admin()) {
      String month = String.valueOf(30L * 24 * 60 * 60 * 1000);
      assertThat(configuration(admin, Topics.ADAPTERS))
          .containsEntry("cleanup.policy", "compact")
          .containsEntry("max.message.bytes", "67108864");
      for (String topic : List.of(Topics.LABELED_EXAMPLES, Topics.TRAINING_STEPS)) {
        assertThat(configuration(admin, topic))
            .containsEntry("cleanup.policy", "delete")
            .containsEntry("retention.ms", month)
            .containsEntry("message.timestamp.type", "LogAppendTime");
      }
      assertThat(configuration(admin, Topics.DEAD_LETTERS))
          .containsEntry("cleanup.policy", "delete")
          .containsEntry("max.message.bytes", "67108864")
          .containsEntry("retention.ms", month);
    }
  }

  @Test
  void aTopicKeepsItsPartitions() throws Exception {
    try (Admin admin = admin()) {
      TopicLayout.create(admin, settings());
      TopicLayout.create(admin, settings("topics.partitions=3"));

      assertThatThrownBy(() -> TopicLayout.create(admin, settings("topics.partitions=5")))
          .isInstanceOf(UsageException.class)
          .hasMessageContaining("topics.partitions=5")
          .hasMessageContaining("exists with 3 partitions");
    }
  }

  @Test
  void theSchemasAreThereInAFixedOrder() throws Exception {
    SchemaRegistry registry = new SchemaRegistry(stack.registryUrl());

    assertThat(registry.schema(1).orElseThrow().getName()).isEqualTo("LabeledExample");
    assertThat(registry.schema(2).orElseThrow().getName()).isEqualTo("AdapterVersion");
    assertThat(registry.schema(3).orElseThrow().getName()).isEqualTo("TrainingStep");
    assertThat(registry.idOf("labeled-examples-value", LabeledExample.getClassSchema()))
        .isEqualTo(1);
    assertThat(registry.idOf("adapters-value", AdapterVersion.getClassSchema())).isEqualTo(2);
    assertThat(registry.idOf("training-steps-value", TrainingStep.getClassSchema())).isEqualTo(3);
  }

  @Test
  void aSchemaThatCannotReadWhatIsThereIsRefused() {
    Schema other =
        SchemaBuilder.record("LabeledExample")
            .namespace("io.millrace.schemas")
            .fields()
            .requiredLong("count")
            .endRecord();

    assertThatThrownBy(
            () -> new SchemaRegistry(stack.registryUrl()).idOf("labeled-examples-value", other))
        .isInstanceOf(SchemaRefusedException.class);
  }

  @Test
  void aSecondStackOnTheSameDirectoryIsTheUsersMistake() {
    assertThatThrownBy(() -> EmbeddedStack.start(directory, Ports.FREE, settings()))
        .isInstanceOf(UsageException.class)
        .hasMessageMatching(
            "data directory .* is in use by process " + ProcessHandle.current().pid());
  }

  @Test
  void itListensOnLoopbackOnly() throws Exception {
    List<InetAddress> others =
        NetworkInterface.networkInterfaces()
            .flatMap(NetworkInterface::inetAddresses)
            .filter(address -> !address.isLoopbackAddress() && !address.isLinkLocalAddress())
            .toList();
    for (int port :
        List.of(port(stack.bootstrapServers()), URI.create(stack.registryUrl()).getPort())) {
      for (InetAddress address : others) {
        try (Socket socket = new Socket()) {
          assertThatThrownBy(() -> socket.connect(new InetSocketAddress(address, port), 2000))
              .isInstanceOf(java.io.IOException.class);
        }
      }
    }
  }

  @Test
  void itSaysHowMuchMemoryItTakes() {
    long registryPeak = 50;
    long heap = Runtime.getRuntime().totalMemory() / (1024 * 1024);

    assertThat(PeakMemory.mib()).isBetween(registryPeak + heap / 4, 4096L);
  }

  private static Settings settings(String... sets) {
    return Settings.of(EmbeddedStack.SETTINGS, null, List.of(sets));
  }

  private static Admin admin() {
    return Admin.create(Map.of("bootstrap.servers", stack.bootstrapServers()));
  }

  private static Map<String, String> configuration(Admin admin, String topic) throws Exception {
    ConfigResource resource = new ConfigResource(Type.TOPIC, topic);
    Config config = admin.describeConfigs(List.of(resource)).all().get().get(resource);
    return Stream.of(
            "cleanup.policy", "max.message.bytes", "retention.ms", "message.timestamp.type")
        .collect(java.util.stream.Collectors.toMap(key -> key, key -> config.get(key).value()));
  }

  private static int port(String hostAndPort) {
    return Integer.parseInt(hostAndPort.substring(hostAndPort.indexOf(':') + 1));
  }
}
