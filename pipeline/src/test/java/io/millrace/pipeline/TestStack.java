package io.millrace.pipeline;

import io.millrace.client.kafka.Connection;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.embedded.TopicLayout;
import io.millrace.testing.ApicurioRegistry;
import io.millrace.testing.Await;
import io.millrace.testing.KafkaBroker;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;

/**
 * The Kafka and the registry that all tests share, with Millrace's topics, all of them empty: what
 * {@link io.millrace.pipeline.embedded.EmbeddedStack} is in a new directory.
 */
public record TestStack(KafkaBroker kafka, ApicurioRegistry registry) {
  /**
   * Deletes what is in Kafka, and makes the topics.
   *
   * @param settings declare {@link TopicLayout#PARTITIONS}
   */
  public static TestStack renew(KafkaBroker kafka, ApicurioRegistry registry, Settings settings)
      throws Exception {
    kafka.clear();
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", kafka.bootstrapServers()))) {
      List<String> made = TopicLayout.create(admin, settings);
      Await.value(
          "the broker knows the topics",
          () -> admin.listTopics().names().get(),
          names -> names.containsAll(made));
    }
    return new TestStack(kafka, registry);
  }

  /** {@code settings}, which declare {@link Connection#SETTINGS}, changed to connect to it. */
  public Settings connect(Settings settings) {
    return settings
        .with(Connection.BOOTSTRAP_SERVERS, kafka.bootstrapServers())
        .with(Connection.REGISTRY_URL, registry.url());
  }
}
