package io.millrace.pipeline.embedded;

import io.millrace.client.kafka.Connection;
import io.millrace.client.process.Home;
import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.DomainProgress;
import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.Topics;
import io.millrace.schemas.TrainingSnapshot;
import io.millrace.schemas.TrainingStep;
import io.millrace.schemas.registry.SchemaRegistry;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;

/**
 * Kafka and a schema registry on this machine, with Millrace's topics and schemas in them. All data
 * lies in one directory, which one stack at a time can have. One-shot: started once, closed once.
 */
public final class EmbeddedStack implements AutoCloseable {
  /** What {@link #start} reads, besides the connection's own settings. */
  public static final List<Setting<?>> SETTINGS = List.of(TopicLayout.PARTITIONS);

  private static final String LOGS = "logs";

  private final DataDirectory data;
  private final EmbeddedKafka kafka;
  private final RegistryProcess registry;

  /** Where to listen; 0 is a free port. */
  public record Ports(int kafka, int registry) {
    /** Two free ones. */
    public static final Ports FREE = new Ports(0, 0);
  }

  private EmbeddedStack(DataDirectory data, EmbeddedKafka kafka, RegistryProcess registry) {
    this.data = data;
    this.kafka = kafka;
    this.registry = registry;
  }

  /**
   * Starts both at once; returns when clients can use them.
   *
   * @param directory holds all data; made where it is missing
   * @param settings declare {@link #SETTINGS}
   * @throws UsageException where the directory or a port is taken, or the settings do not fit the
   *     directory's topics
   * @throws IllegalStateException where one of them does not start
   */
  public static EmbeddedStack start(Path directory, Ports ports, Settings settings) {
    DataDirectory data = DataDirectory.take(directory);
    RegistryProcess registry = null;
    EmbeddedKafka kafka = null;
    try {
      registry =
          RegistryProcess.launch(
              distribution(),
              data.resolve("registry"),
              data.resolve(LOGS).resolve("registry.log"),
              ports.registry());
      kafka = EmbeddedKafka.start(data.resolve("kafka"), ports.kafka());
      createTopics(kafka, settings);
      registry.awaitReady();
      registerSchemas(registry);
      return new EmbeddedStack(data, kafka, registry);
    } catch (RuntimeException e) {
      close(kafka, registry, data);
      throw e;
    }
  }

  /**
   * Empties a stack's directory but for what {@link #isKept} names; makes it where it is missing.
   *
   * @throws UsageException where a stack has it
   */
  public static void clear(Path directory) throws IOException {
    try (DataDirectory data = DataDirectory.take(directory)) {
      data.clear(EmbeddedStack::isKept);
    }
  }

  /** Whether a file or folder stays when a stack's directory is emptied: its lock and the logs. */
  public static boolean isKept(String name) {
    return name.equals(DataDirectory.LOCK) || name.equals(LOGS);
  }

  /** Host and port of the broker, for Kafka clients. */
  public String bootstrapServers() {
    return kafka.bootstrapServers();
  }

  /** Where the registry's REST interface is, in Confluent's dialect. */
  public String registryUrl() {
    return registry.url();
  }

  /**
   * {@code settings}, which declare {@link Connection#SETTINGS}, changed to connect to this stack.
   */
  public Settings connect(Settings settings) {
    return settings
        .with(Connection.BOOTSTRAP_SERVERS, bootstrapServers())
        .with(Connection.REGISTRY_URL, registryUrl());
  }

  /** Completes when a part of the stack has ended, whether it was closed or broke. */
  public CompletableFuture<Void> ended() {
    return registry.ended();
  }

  /** Stops both, within half a minute. The data is safe however the process ends. */
  @Override
  public void close() {
    close(kafka, registry, data);
  }

  private static void close(EmbeddedKafka kafka, RegistryProcess registry, DataDirectory data) {
    if (kafka != null) {
      kafka.close();
    }
    if (registry != null) {
      registry.close();
    }
    data.close();
  }

  private static Path distribution() {
    Path installed = Home.directory().resolve("registry");
    return Files.isDirectory(installed)
        ? installed
        : Home.directory().resolve("pipeline").resolve("target").resolve("registry");
  }

  private static void createTopics(EmbeddedKafka kafka, Settings settings) {
    try (Admin admin =
        Admin.create(
            Map.of(AdminClientConfig.BOOTSTRAP_SERVERS_CONFIG, kafka.bootstrapServers()))) {
      TopicLayout.create(admin, settings);
    } catch (ExecutionException e) {
      throw new IllegalStateException("cannot make the topics", e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while the topics were made", e);
    }
  }

  /** In a fixed order, so that every new directory gives a schema the same id. */
  private static void registerSchemas(RegistryProcess registry) {
    SchemaRegistry schemas = new SchemaRegistry(registry.url());
    try {
      schemas.idOf(Topics.LABELED_EXAMPLES + "-value", LabeledExample.getClassSchema());
      schemas.idOf(Topics.ADAPTERS + "-value", AdapterVersion.getClassSchema());
      schemas.idOf(Topics.TRAINING_STEPS + "-value", TrainingStep.getClassSchema());
      schemas.idOf(Topics.TRAINING_SNAPSHOTS + "-value", TrainingSnapshot.getClassSchema());
      schemas.idOf(Topics.ROLLOUTS + "-value", RolloutEvent.getClassSchema());
      schemas.idOf(Topics.TRAINING_PROGRESS + "-value", DomainProgress.getClassSchema());
    } catch (IOException e) {
      throw new UncheckedIOException("cannot register the schemas", e);
    }
  }
}
