package io.millrace.pipeline.chaos;

import io.millrace.client.process.LoopbackPort;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.embedded.TopicLayout;
import io.millrace.schemas.Topics;
import io.millrace.testing.Await;
import java.io.IOException;
import java.io.OutputStream;
import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.LogDirDescription;
import org.apache.kafka.clients.admin.TransactionDescription;
import org.apache.kafka.clients.admin.TransactionListing;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.config.TopicConfig;

/**
 * Three Kafka nodes, each broker and controller and each a process. Every topic has three replicas,
 * of which two must hold a record before it counts.
 */
final class KafkaCluster implements AutoCloseable {
  static final int NODES = 3;

  private static final List<String> TOPICS =
      List.of(
          Topics.LABELED_EXAMPLES,
          Topics.ADAPTERS,
          Topics.TRAINING_STEPS,
          Topics.TRAINING_SNAPSHOTS,
          Topics.ROLLOUTS,
          Topics.DEAD_LETTERS,
          Topics.TRAINING_PROGRESS,
          Topics.SERVED_REQUESTS);

  private static final String CONFIGURATION =
      """
      process.roles=broker,controller
      controller.listener.names=CONTROLLER
      listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
      auto.create.topics.enable=false

      default.replication.factor=3
      min.insync.replicas=2
      offsets.topic.replication.factor=3
      offsets.topic.num.partitions=4
      transaction.state.log.replication.factor=3
      transaction.state.log.min.isr=2
      transaction.state.log.num.partitions=4
      share.coordinator.state.topic.replication.factor=3
      share.coordinator.state.topic.min.isr=2

      # How soon a killed node counts as gone; training keeps both cores busy meanwhile.
      broker.session.timeout.ms=3000
      broker.heartbeat.interval.ms=500
      controller.quorum.election.timeout.ms=500
      controller.quorum.fetch.timeout.ms=1500
      group.initial.rebalance.delay.ms=0

      transaction.max.timeout.ms=900000
      message.max.bytes=67108864
      replica.fetch.max.bytes=67108864

      num.network.threads=2
      num.io.threads=2
      background.threads=2
      num.recovery.threads.per.data.dir=1
      log.cleaner.dedupe.buffer.size=16777216
      log.segment.bytes=67108864
      """;

  private final Path directory;
  private final Path logs;
  private final String clusterId = Uuid.randomUuid().toString();
  private final List<Integer> brokerPorts;
  private final List<Integer> controllerPorts;
  private final ChildProcess[] nodes = new ChildProcess[NODES + 1];
  private final Admin admin;

  private KafkaCluster(Path directory, Path logs) throws IOException {
    this.directory = directory;
    this.logs = logs;
    List<Integer> ports = Stream.generate(LoopbackPort::free).limit(2 * NODES).toList();
    brokerPorts = ports.subList(0, NODES);
    controllerPorts = ports.subList(NODES, 2 * NODES);
    for (int node = 1; node <= NODES; node++) {
      start(node);
    }
    admin = Admin.create(Map.of("bootstrap.servers", bootstrapServers()));
  }

  /** Starts all three; does not wait for them. */
  static KafkaCluster start(Path directory, Path logs) throws IOException {
    return new KafkaCluster(directory, logs);
  }

  String bootstrapServers() {
    return brokerPorts.stream().map(port -> "127.0.0.1:" + port).collect(Collectors.joining(","));
  }

  Admin admin() {
    return admin;
  }

  /**
   * @param node from 1
   */
  void start(int node) throws IOException {
    Path data = directory.resolve("node-" + node);
    Properties properties = new Properties();
    properties.load(new StringReader(CONFIGURATION));
    String broker = "PLAINTEXT://127.0.0.1:" + brokerPorts.get(node - 1);
    properties.put("node.id", String.valueOf(node));
    properties.put(
        "controller.quorum.voters",
        IntStream.rangeClosed(1, NODES)
            .mapToObj(id -> id + "@127.0.0.1:" + controllerPorts.get(id - 1))
            .collect(Collectors.joining(",")));
    properties.put(
        "listeners", broker + ",CONTROLLER://127.0.0.1:" + controllerPorts.get(node - 1));
    properties.put("advertised.listeners", broker);
    properties.put("log.dirs", data.toString());
    Files.createDirectories(directory);
    Path file = directory.resolve("node-" + node + ".properties");
    try (OutputStream out = Files.newOutputStream(file)) {
      properties.store(out, null);
    }
    nodes[node] =
        ChildProcess.start(
            "kafka-" + node,
            logs,
            List.of("-Xmx320m"),
            KafkaNode.class,
            List.of(clusterId, file.toString()));
  }

  void replaceEndedNodes() throws IOException {
    for (int node = 1; node <= NODES; node++) {
      if (!nodes[node].isAlive()) {
        start(node);
      }
    }
  }

  void kill(int node) throws InterruptedException {
    nodes[node].kill();
  }

  /** Until all three take part. */
  void awaitAll() throws Exception {
    Await.value(
        "%d brokers take part".formatted(NODES),
        Duration.ofMinutes(3),
        () -> {
          for (int node = 1; node <= NODES; node++) {
            nodes[node].requireAlive();
          }
          try {
            return admin.describeCluster().nodes().get().size();
          } catch (ExecutionException e) {
            return 0;
          }
        },
        brokers -> brokers == NODES);
  }

  /** Deletes Millrace's topics where they are, and makes them anew. */
  void renewTopics(Settings settings) throws Exception {
    Set<String> existing = admin.listTopics().names().get();
    delete(TOPICS.stream().filter(existing::contains).toList());
    createTopics(settings);
  }

  /** Makes those that are missing; returns when every node has them. */
  /** From now on the topic takes no larger record. */
  void limitRecords(String topic, long bytes) throws Exception {
    admin
        .incrementalAlterConfigs(
            Map.of(
                new ConfigResource(ConfigResource.Type.TOPIC, topic),
                List.of(
                    new AlterConfigOp(
                        new ConfigEntry(TopicConfig.MAX_MESSAGE_BYTES_CONFIG, Long.toString(bytes)),
                        AlterConfigOp.OpType.SET))))
        .all()
        .get();
  }

  void createTopics(Settings settings) throws Exception {
    TopicLayout.create(admin, settings);
    int replicas = TOPICS.size() * settings.get(TopicLayout.PARTITIONS);
    Await.value(
        "every node has all %d replicas".formatted(replicas),
        () -> replicas(TOPICS),
        counts -> counts.stream().allMatch(count -> count == replicas));
  }

  /** Returns when no node has them any more. */
  void delete(Collection<String> topics) throws Exception {
    admin.deleteTopics(topics).all().get();
    Await.value(
        "no node has a replica of " + topics,
        () -> replicas(topics),
        counts -> counts.stream().allMatch(count -> count == 0));
  }

  /**
   * How many partitions of these topics each node holds. A node has told its clients of a topic
   * before it makes its files, and a topic has a replica on every node.
   */
  private List<Long> replicas(Collection<String> topics) throws Exception {
    List<Long> counts = new ArrayList<>();
    List<Integer> nodes = IntStream.rangeClosed(1, NODES).boxed().toList();
    for (Map<String, LogDirDescription> directories :
        admin.describeLogDirs(nodes).allDescriptions().get().values()) {
      counts.add(
          directories.values().stream()
              .flatMap(held -> held.replicaInfos().keySet().stream())
              .filter(partition -> topics.contains(partition.topic()))
              .count());
    }
    return counts;
  }

  /** The node that coordinates an open transaction whose id begins so. */
  Optional<Integer> coordinatorOf(String prefix) throws InterruptedException {
    try {
      List<String> open = new ArrayList<>();
      for (TransactionListing transaction : admin.listTransactions().all().get()) {
        if (transaction.transactionalId().startsWith(prefix)
            && transaction.state() == TransactionState.ONGOING) {
          open.add(transaction.transactionalId());
        }
      }
      return admin.describeTransactions(open).all().get().values().stream()
          .map(TransactionDescription::coordinatorId)
          .findFirst();
    } catch (ExecutionException e) {
      return Optional.empty();
    }
  }

  @Override
  public void close() {
    admin.close();
    for (ChildProcess node : nodes) {
      if (node != null) {
        node.close();
      }
    }
  }
}
