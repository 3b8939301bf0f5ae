package io.millrace.testing;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.stream.Stream;
import kafka.server.KafkaConfig;
import kafka.server.KafkaRaftServer;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.metadata.authorizer.StandardAuthorizer;
import org.apache.kafka.metadata.storage.Formatter;
import org.apache.kafka.server.common.Feature;
import org.apache.kafka.server.common.MetadataVersion;

/**
 * A real Kafka broker in this JVM, with its controller. It can be stopped, and started again on the
 * same port with the same data.
 */
public final class KafkaBroker implements AutoCloseable {
  private static final String HOST = "127.0.0.1";
  private static final int NODE = 1;
  private static final String CONTROLLER = "CONTROLLER";
  private static final String SECURED = "SECURED";

  private final Path directory;
  private final int port;
  private final int securedPort;
  private final Map<String, String> secured;
  private KafkaRaftServer server;

  /** Starts it on a free port, with an empty temporary directory. */
  KafkaBroker() throws Exception {
    this(Map.of());
  }

  private KafkaBroker(Map<String, String> secured) throws Exception {
    directory = Files.createTempDirectory("millrace-kafka");
    port = FreePort.find();
    securedPort = FreePort.find();
    this.secured = secured;
    start();
  }

  /**
   * A broker of its own, with one more port: {@link #securedServers} speaks TLS, and SASL's PLAIN.
   * A user may do there whatever nobody was {@link #allow}ed; all may do it at the other port.
   *
   * @param keyStore of {@link Certificates}
   * @param passwords of the users, by their names
   */
  public static KafkaBroker secured(Path keyStore, Map<String, String> passwords) throws Exception {
    String listener = "listener.name." + SECURED.toLowerCase(Locale.ROOT) + ".";
    StringBuilder jaas =
        new StringBuilder("org.apache.kafka.common.security.plain.PlainLoginModule required");
    passwords.forEach((user, password) -> jaas.append(" user_%s=\"%s\"".formatted(user, password)));
    return new KafkaBroker(
        Map.of(
            "authorizer.class.name",
            StandardAuthorizer.class.getName(),
            "super.users",
            "User:ANONYMOUS",
            "allow.everyone.if.no.acl.found",
            "true",
            listener + "sasl.enabled.mechanisms",
            "PLAIN",
            listener + "plain.sasl.jaas.config",
            jaas.append(';').toString(),
            listener + "ssl.keystore.location",
            keyStore.toString(),
            listener + "ssl.keystore.type",
            "PKCS12",
            listener + "ssl.keystore.password",
            Certificates.PASSWORD,
            listener + "ssl.key.password",
            Certificates.PASSWORD));
  }

  /**
   * Lets a user of a {@link #secured} broker do this with it, and all others only what they may.
   */
  public void allow(String user, ResourceType type, String name, AclOperation... operations)
      throws Exception {
    ResourcePattern resource = new ResourcePattern(type, name, PatternType.LITERAL);
    List<AclBinding> rights =
        Arrays.stream(operations)
            .map(
                operation ->
                    new AclBinding(
                        resource,
                        new AccessControlEntry(
                            "User:" + user, "*", operation, AclPermissionType.ALLOW)))
            .toList();
    try (Admin admin = admin()) {
      admin.createAcls(rights).all().get();
    }
  }

  /** Host and port for clients with TLS and a password; only of a {@link #secured} broker. */
  public String securedServers() {
    return HOST + ":" + securedPort;
  }

  /** Host and port for Kafka clients. */
  public String bootstrapServers() {
    return HOST + ":" + port;
  }

  /** The file with the newest records of a partition. */
  public Path segment(String topic, int partition) throws IOException {
    try (Stream<Path> files = Files.list(directory.resolve(topic + "-" + partition))) {
      return files
          .filter(file -> file.toString().endsWith(".log"))
          .max(Comparator.naturalOrder())
          .orElseThrow();
    }
  }

  /** Starts it again after {@link #stop}; returns once it takes requests. */
  public void start() throws Exception {
    format();
    server = new KafkaRaftServer(KafkaConfig.fromProps(configuration()), Time.SYSTEM);
    server.startup();
  }

  /** Stops broker and controller; the data stays. */
  public void stop() {
    server.shutdown();
    server.awaitShutdown();
  }

  private Properties configuration() {
    String controller = HOST + ":" + FreePort.find();
    Properties properties = new Properties();
    properties.put("process.roles", "broker,controller");
    properties.put("node.id", String.valueOf(NODE));
    properties.put("controller.quorum.voters", NODE + "@" + controller);
    properties.put("controller.listener.names", CONTROLLER);
    properties.put("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT");
    properties.put(
        "listeners", "PLAINTEXT://" + bootstrapServers() + "," + CONTROLLER + "://" + controller);
    properties.put("advertised.listeners", "PLAINTEXT://" + bootstrapServers());
    if (!secured.isEmpty()) {
      String listeners = "," + SECURED + "://" + securedServers();
      properties.merge("listeners", listeners, KafkaBroker::joined);
      properties.merge("advertised.listeners", listeners, KafkaBroker::joined);
      properties.merge(
          "listener.security.protocol.map", "," + SECURED + ":SASL_SSL", KafkaBroker::joined);
      properties.putAll(secured);
    }
    properties.put("log.dirs", directory.toString());
    properties.put("auto.create.topics.enable", "false");
    // One node holds every replica.
    properties.put("offsets.topic.replication.factor", "1");
    properties.put("offsets.topic.num.partitions", "4");
    properties.put("transaction.state.log.replication.factor", "1");
    properties.put("transaction.state.log.min.isr", "1");
    properties.put("transaction.state.log.num.partitions", "4");
    properties.put("share.coordinator.state.topic.replication.factor", "1");
    properties.put("share.coordinator.state.topic.min.isr", "1");
    // As the embedded broker of the pipeline: a job's transactions may stay open for long.
    properties.put("transaction.max.timeout.ms", "900000");
    properties.put("transaction.abort.timed.out.transaction.cleanup.interval.ms", "1000");
    properties.put("message.max.bytes", String.valueOf(64 * 1024 * 1024));
    properties.put("group.initial.rebalance.delay.ms", "0");
    properties.put("controller.quorum.election.timeout.ms", "200");
    // After a stop, a new start waits until the old session has ended.
    properties.put("broker.session.timeout.ms", "3000");
    properties.put("broker.heartbeat.interval.ms", "500");
    properties.put("num.network.threads", "2");
    properties.put("num.io.threads", "4");
    properties.put("background.threads", "4");
    properties.put("log.cleaner.dedupe.buffer.size", "16777216");
    return properties;
  }

  private static Object joined(Object all, Object more) {
    return all.toString() + more;
  }

  private void format() throws Exception {
    new Formatter()
        .setClusterId(clusterId())
        .setNodeId(NODE)
        .setControllerListenerName(CONTROLLER)
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

  /** Deletes all topics and consumer groups; returns when there are none. */
  public void clear() throws Exception {
    try (Admin admin = admin()) {
      delete(admin, admin.listTopics().names().get());
      List<String> groups =
          admin.listGroups().all().get().stream().map(GroupListing::groupId).toList();
      admin.deleteConsumerGroups(groups).all().get();
    }
  }

  /** An empty topic, whatever there was; returns when clients can use it. */
  public void create(String name, int partitions, Map<String, String> configuration)
      throws Exception {
    try (Admin admin = admin()) {
      delete(admin, Set.of(name));
      NewTopic topic = new NewTopic(name, partitions, (short) 1).configs(configuration);
      admin.createTopics(List.of(topic)).all().get();
      Await.until(
          "the broker knows topic " + name, () -> admin.listTopics().names().get().contains(name));
    }
  }

  /** Deletes a topic where there is one; returns when there is none. */
  public void delete(String name) throws Exception {
    try (Admin admin = admin()) {
      delete(admin, Set.of(name));
    }
  }

  private static void delete(Admin admin, Collection<String> names) throws Exception {
    List<String> existing =
        admin.listTopics().names().get().stream().filter(names::contains).toList();
    admin.deleteTopics(existing).all().get();
    Await.value(
        "the topics are deleted",
        () -> admin.listTopics().names().get().stream().filter(names::contains).toList(),
        List::isEmpty);
  }

  /** Gives a topic more partitions: {@code partitions} in all. */
  public void grow(String name, int partitions) throws Exception {
    try (Admin admin = admin()) {
      admin.createPartitions(Map.of(name, NewPartitions.increaseTo(partitions))).all().get();
    }
  }

  private Admin admin() {
    return Admin.create(Map.of("bootstrap.servers", bootstrapServers()));
  }

  @Override
  public void close() throws IOException {
    stop();
    try (Stream<Path> files = Files.walk(directory)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    }
  }
}
