package io.millrace.pipeline.embedded;

import io.millrace.client.process.LoopbackPort;
import io.millrace.client.process.UsageException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.StringReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import kafka.server.KafkaConfig;
import kafka.server.KafkaRaftServer;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.metadata.storage.Formatter;
import org.apache.kafka.server.common.Feature;
import org.apache.kafka.server.common.MetadataVersion;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A Kafka cluster of one node in this process: broker and KRaft controller, on loopback only. Its
 * data is in one directory, with the cluster id, and survives any end of the process. One-shot:
 * started once, closed once.
 */
public final class EmbeddedKafka implements AutoCloseable {
  /** The largest record it takes, in bytes: an adapter with its tensors must fit. */
  public static final int LARGEST_RECORD = 64 * 1024 * 1024;

  private static final Logger LOG = LoggerFactory.getLogger(EmbeddedKafka.class);
  private static final Duration START_TIMEOUT = Duration.ofSeconds(90);
  private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(20);
  private static final int NODE_ID = 1;
  private static final String CONTROLLER = "CONTROLLER";

  /** The configuration that does not depend on directory and ports. */
  private static final String CONFIGURATION =
      """
      process.roles=broker,controller
      listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
      auto.create.topics.enable=false

      # One node holds every replica.
      offsets.topic.replication.factor=1
      offsets.topic.num.partitions=4
      transaction.state.log.replication.factor=1
      transaction.state.log.min.isr=1
      transaction.state.log.num.partitions=4
      share.coordinator.state.topic.replication.factor=1
      share.coordinator.state.topic.min.isr=1

      # A broker that was killed counts as alive for its session, and a controller as the leader until
      # an election: the next process waits that long.
      broker.session.timeout.ms=1500
      broker.heartbeat.interval.ms=500
      controller.quorum.election.timeout.ms=200
      group.initial.rebalance.delay.ms=0

      # Readers of committed records wait behind a transaction whose writer died, until it times out.
      # A checkpoint of the job may take minutes.
      transaction.max.timeout.ms=900000
      transaction.abort.timed.out.transaction.cleanup.interval.ms=1000

      # How far a file has been sent is kept as a group's offset: for ten years.
      offsets.retention.minutes=5256000

      # It shares a small machine.
      num.network.threads=2
      num.io.threads=4
      background.threads=4
      log.cleaner.dedupe.buffer.size=16777216
      """;

  private final KafkaRaftServer server;
  private final int port;

  private EmbeddedKafka(KafkaRaftServer server, int port) {
    this.server = server;
    this.port = port;
  }

  /**
   * Starts a broker on {@code directory}; returns once it takes requests.
   *
   * @param directory holds its data; made where it is missing
   * @param port to listen on, or 0 for a free one
   * @throws UsageException where the port is taken, or the directory's name cannot be given to
   *     Kafka
   * @throws IllegalStateException where the broker does not start
   */
  public static EmbeddedKafka start(Path directory, int port) {
    Path data = directory.toAbsolutePath().normalize();
    if (data.toString().contains(",")) {
      throw new UsageException(
          "Kafka cannot keep data in a directory with a comma in its name: " + data);
    }
    int brokerPort = LoopbackPort.claim(port, "Kafka", "--kafka-port");
    int controllerPort;
    do {
      // Nothing holds the broker's port yet, so the same one may come again.
      controllerPort = LoopbackPort.claim(0, "Kafka", "--kafka-port");
    } while (controllerPort == brokerPort);
    format(data);
    KafkaRaftServer server =
        new KafkaRaftServer(
            KafkaConfig.fromProps(configuration(data, brokerPort, controllerPort)), Time.SYSTEM);
    EmbeddedKafka kafka = new EmbeddedKafka(server, brokerPort);
    try {
      server.startup();
      return kafka;
    } catch (RuntimeException e) {
      kafka.close();
      throw new IllegalStateException("the embedded Kafka broker did not start", e);
    }
  }

  /** Host and port for Kafka clients. */
  public String bootstrapServers() {
    return LoopbackPort.HOST + ":" + port;
  }

  /**
   * Stops broker and controller; gives up waiting after 20 seconds. The data is safe either way.
   */
  @Override
  public void close() {
    CountDownLatch stopped = new CountDownLatch(1);
    Thread closer =
        new Thread(
            () -> {
              server.shutdown();
              server.awaitShutdown();
              stopped.countDown();
            },
            "embedded-kafka-close");
    closer.setDaemon(true);
    closer.start();
    try {
      if (!stopped.await(CLOSE_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS)) {
        LOG.warn("The embedded broker did not stop within {}", CLOSE_TIMEOUT);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static void format(Path directory) {
    try {
      Files.createDirectories(directory);
      new Formatter()
          .setClusterId(clusterId(directory))
          .setNodeId(NODE_ID)
          .setControllerListenerName(CONTROLLER)
          .setMetadataLogDirectory(directory.toString())
          .addDirectory(directory.toString())
          .setIgnoreFormatted(true)
          .setSupportedFeatures(Feature.PRODUCTION_FEATURES)
          .setReleaseVersion(MetadataVersion.latestProduction())
          .setPrintStream(
              new PrintStream(OutputStream.nullOutputStream(), false, StandardCharsets.UTF_8))
          .run();
    } catch (Exception e) {
      throw new IllegalStateException("cannot prepare " + directory + " for Kafka", e);
    }
  }

  /** The id this directory was formatted with, or a new one. */
  private static String clusterId(Path directory) {
    Path file = directory.resolve("meta.properties");
    if (!Files.exists(file)) {
      return Uuid.randomUuid().toString();
    }
    Properties properties = new Properties();
    try (InputStream in = Files.newInputStream(file)) {
      properties.load(in);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read " + file, e);
    }
    return properties.getProperty("cluster.id");
  }

  private static Properties configuration(Path directory, int brokerPort, int controllerPort) {
    String broker = "PLAINTEXT://" + LoopbackPort.HOST + ":" + brokerPort;
    String controller = LoopbackPort.HOST + ":" + controllerPort;
    Properties properties = new Properties();
    try {
      properties.load(new StringReader(CONFIGURATION));
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read from memory", e);
    }
    properties.put("node.id", String.valueOf(NODE_ID));
    properties.put("controller.quorum.voters", NODE_ID + "@" + controller);
    properties.put("controller.listener.names", CONTROLLER);
    properties.put("listeners", broker + "," + CONTROLLER + "://" + controller);
    properties.put("advertised.listeners", broker);
    properties.put("log.dirs", directory.toString());
    properties.put("message.max.bytes", String.valueOf(LARGEST_RECORD));
    properties.put("server.max.startup.time.ms", String.valueOf(START_TIMEOUT.toMillis()));
    return properties;
  }
}
