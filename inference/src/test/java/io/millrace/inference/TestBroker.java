package io.millrace.inference;

import io.millrace.client.process.LoopbackPort;
import io.millrace.schemas.Topics;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import kafka.server.KafkaConfig;
import kafka.server.KafkaRaftServer;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.metadata.storage.Formatter;
import org.apache.kafka.server.common.Feature;
import org.apache.kafka.server.common.MetadataVersion;

/** A real Kafka broker in this JVM, which can be stopped and started again on the same port. */
public final class TestBroker implements AutoCloseable {
  private final Path directory;
  private final int port;
  private KafkaRaftServer server;

  public TestBroker(Path directory) throws Exception {
    this.directory = directory;
    this.port = LoopbackPort.free();
    start();
  }

  public String bootstrapServers() {
    return "127.0.0.1:" + port;
  }

  public void start() throws Exception {
    int controllerPort = LoopbackPort.free();
    Properties properties = new Properties();
    properties.put("process.roles", "broker,controller");
    properties.put("node.id", "1");
    properties.put("controller.quorum.voters", "1@127.0.0.1:" + controllerPort);
    properties.put(
        "listeners",
        "PLAINTEXT://" + bootstrapServers() + ",CONTROLLER://127.0.0.1:" + controllerPort);
    properties.put("advertised.listeners", "PLAINTEXT://" + bootstrapServers());
    properties.put("controller.listener.names", "CONTROLLER");
    properties.put("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT");
    properties.put("log.dirs", directory.toString());
    properties.put("transaction.state.log.replication.factor", "1");
    properties.put("transaction.state.log.min.isr", "1");
    properties.put("transaction.state.log.num.partitions", "1");
    properties.put("auto.create.topics.enable", "false");
    properties.put("log.cleaner.dedupe.buffer.size", "16777216");
    properties.put("broker.session.timeout.ms", "3000");
    properties.put("broker.heartbeat.interval.ms", "500");
    format();
    server = new KafkaRaftServer(KafkaConfig.fromProps(properties), Time.SYSTEM);
    server.startup();
  }

  private void format() throws Exception {
    Files.createDirectories(directory);
    new Formatter()
        .setClusterId(clusterId())
        .setNodeId(1)
        .setControllerListenerName("CONTROLLER")
        .setMetadataLogDirectory(directory.toString())
        .addDirectory(directory.toString())
        .setIgnoreFormatted(true)
        .setSupportedFeatures(Feature.PRODUCTION_FEATURES)
        .setReleaseVersion(MetadataVersion.latestProduction())
        .setPrintStream(new PrintStream(OutputStream.nullOutputStream()))
        .run();
  }

  private String clusterId() throws IOException {
    Path meta = directory.resolve("meta.properties");
    if (!Files.exists(meta)) {
      return Uuid.randomUuid().toString();
    }
    Properties properties = new Properties();
    try (InputStream in = Files.newInputStream(meta)) {
      properties.load(in);
    }
    return properties.getProperty("cluster.id");
  }

  public void stop() {
    server.shutdown();
    server.awaitShutdown();
  }

  /** An empty topic {@code adapters}, whatever there was. */
  public void createAdapters(int partitions) throws Exception {
    delete(Topics.ADAPTERS);
    create(Topics.ADAPTERS, partitions, Map.of("cleanup.policy", "compact"));
  }

  /** An empty topic {@code rollouts}, whatever there was. */
  public void createRollouts(int partitions) throws Exception {
    delete(Topics.ROLLOUTS);
    create(
        Topics.ROLLOUTS,
        partitions,
        Map.of("retention.ms", "-1", "message.timestamp.type", "LogAppendTime"));
  }

  private void create(String name, int partitions, Map<String, String> configs) throws Exception {
    try (Admin admin = admin()) {
      NewTopic topic = new NewTopic(name, partitions, (short) 1);
      admin.createTopics(List.of(topic.configs(configs))).all().get();
    }
  }

  /** Sees to it that there is no such topic. */
  void delete(String topic) throws Exception {
    try (Admin admin = admin()) {
      if (admin.listTopics().names().get().contains(topic)) {
        admin.deleteTopics(List.of(topic)).all().get();
      }
    }
  }

  /** An empty topic, whatever there was. */
  public void create(String name, int partitions) throws Exception {
    try (Admin admin = admin()) {
      if (admin.listTopics().names().get().contains(name)) {
        admin.deleteTopics(List.of(name)).all().get();
      }
      admin.createTopics(List.of(new NewTopic(name, partitions, (short) 1))).all().get();
    }
  }

  void growAdapters(int partitions) throws Exception {
    try (Admin admin = admin()) {
      admin
          .createPartitions(Map.of(Topics.ADAPTERS, NewPartitions.increaseTo(partitions)))
          .all()
          .get();
    }
  }

  private Admin admin() {
    return Admin.create(Map.of("bootstrap.servers", bootstrapServers()));
  }

  @Override
  public void close() {
    stop();
  }
}
