package io.millrace.inference;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.millrace.client.kafka.Connection;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.Topics;
import io.millrace.testing.Await;
import io.millrace.testing.Certificates;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.StubRegistry;
import java.io.BufferedReader;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.resource.ResourceType;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.Deserializer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * A serving process and a page in a process of its own, where everything asks for credentials:
 * Kafka for TLS and a password, the registry for TLS and a user, and both processes for tokens.
 */
@Tag("integration")
class SecuredStackTest {
  private static final int PARTITIONS = 2;
  private static final String JOB = "millrace";
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String INPUTS =
      "{\"inputs\":[{\"name\":\"text\",\"datatype\":\"BYTES\",\"shape\":[1],\"data\":[\"x\"]}]}";

  @TempDir static Path directory;
  private static KafkaBroker broker;
  private static StubRegistry registry;
  private static Path brokerTrust;
  private static Path registryTrust;
  private static TestPublisher publisher;
  private static TestProgress progress;
  private static ServingProcess serving;
  private static DashboardProcess page;

  /** Of the serving process, and of the page in a process of its own. */
  private static List<Integer> ports;

  @BeforeAll
  static void start() throws Exception {
    Certificates certificates = new Certificates(directory);
    Path brokerKey = certificates.keyStore("broker");
    Path registryKey = certificates.keyStore("registry");
    brokerTrust = certificates.trustStore(brokerKey);
    registryTrust = certificates.trustStore(registryKey);
    broker = KafkaBroker.secured(brokerKey, Map.of("serve", "open-sesame", "page", "me-too"));
    registry = StubRegistry.secured(registryKey, "ada", "let-me-in");
    TestTopics.createAdapters(broker, PARTITIONS);
    TestTopics.createRollouts(broker, PARTITIONS);
    broker.create(Topics.TRAINING_PROGRESS, PARTITIONS, Map.of());
    broker.create(Topics.DEAD_LETTERS, 1, Map.of());
    broker.create(Topics.LABELED_EXAMPLES, 1, Map.of());
    broker.create(Topics.SERVED_REQUESTS, 1, Map.of());
    allow();
    commitOfTheJob();
    Settings settings =
        settings(
            ServingSettings.ALL,
            "kafka.bootstrap.servers=" + broker.bootstrapServers(),
            "kafka.security.protocol=PLAINTEXT");
    publisher = new TestPublisher(settings, PARTITIONS);
    progress = new TestProgress(settings);
    publisher.publishWithEvents(TestAdapters.chain("films", 2));
    progress.step("films", Instant.now(), 2, 8, 4);
    progress.deadLetter("films", "BlankText", "the text is blank", "{}".getBytes(UTF_8));
    progress.flush();
    serving = serve("serve", new ArrayList<>());
    page =
        DashboardProcess.start(
            settings(
                DashboardSettings.ALL,
                jaas("page", "me-too"),
                "serving.tokens.predict=see",
                "dashboard.serving=http://127.0.0.1:" + serving.port()),
            0);
    ports = List.of(serving.port(), page.port());
    Await.until(
        "version 2 serves",
        () ->
            seen(page.port(), "domain=films").at("/domain/replicas/0/serving/version").asInt()
                == 2);
  }

  /** What docs/deployment.md says that the processes need, and no more. */
  private static void allow() throws Exception {
    for (String user : List.of("serve", "page")) {
      for (String topic : List.of(Topics.ROLLOUTS, Topics.TRAINING_PROGRESS, Topics.DEAD_LETTERS)) {
        broker.allow(user, ResourceType.TOPIC, topic, AclOperation.READ);
      }
      broker.allow(user, ResourceType.TOPIC, Topics.LABELED_EXAMPLES, AclOperation.DESCRIBE);
      broker.allow(user, ResourceType.GROUP, JOB, AclOperation.DESCRIBE);
    }
    broker.allow("serve", ResourceType.TOPIC, Topics.ADAPTERS, AclOperation.READ);
    broker.allow("serve", ResourceType.TOPIC, Topics.ROLLOUTS, AclOperation.WRITE);
    for (String topic : List.of(Topics.LABELED_EXAMPLES, Topics.SERVED_REQUESTS)) {
      broker.allow("serve", ResourceType.TOPIC, topic, AclOperation.READ, AclOperation.WRITE);
    }
    for (ResourceType type : List.of(ResourceType.GROUP, ResourceType.TRANSACTIONAL_ID)) {
      broker.allow("nobody", type, "other", AclOperation.READ);
    }
    broker.allow("nobody", ResourceType.CLUSTER, "kafka-cluster", AclOperation.ALTER);
  }

  /** Leaves it nothing to read. */
  private static void commitOfTheJob() throws Exception {
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", broker.bootstrapServers()))) {
      admin
          .alterConsumerGroupOffsets(
              JOB, Map.of(new TopicPartition(Topics.LABELED_EXAMPLES, 0), new OffsetAndMetadata(0)))
          .all()
          .get();
    }
  }

  @AfterAll
  static void stop() throws Exception {
    page.close();
    serving.close();
    progress.close();
    publisher.close();
    registry.close();
    broker.close();
  }

  private static ServingProcess serve(String data, List<String> notices, String... more)
      throws Exception {
    List<String> sets =
        new ArrayList<>(
            List.of(
                "model.store=" + TestAdapters.models(),
                "serving.rolloutToken=decide",
                "serving.tokens.predict=see",
                "serving.tokens.feedback=tell"));
    sets.addAll(List.of(more));
    ServingProcess process =
        ServingProcess.listen(
            settings(ServingSettings.ALL, sets.toArray(String[]::new)),
            directory.resolve(data),
            0,
            notices::add);
    process.load((model, done, total) -> {});
    return process;
  }

  /** Those with all credentials; {@code more} wins. */
  private static Settings settings(List<Setting<?>> declared, String... more) {
    List<String> sets =
        new ArrayList<>(
            List.of(
                "kafka.bootstrap.servers=" + broker.securedServers(),
                "kafka.security.protocol=SASL_SSL",
                "kafka.sasl.mechanism=PLAIN",
                jaas("serve", "open-sesame"),
                "kafka.ssl.truststore.location=" + brokerTrust,
                "kafka.ssl.truststore.type=PKCS12",
                "kafka.ssl.truststore.password=" + Certificates.PASSWORD,
                "schema.registry.url=" + registry.url(),
                "schema.registry.basic.auth.user.info=ada:let-me-in",
                "schema.registry.ssl.truststore.location=" + registryTrust,
                "schema.registry.ssl.truststore.type=PKCS12",
                "schema.registry.ssl.truststore.password=" + Certificates.PASSWORD));
    for (String each : more) {
      String key = each.substring(0, each.indexOf('=') + 1);
      sets.removeIf(set -> set.startsWith(key));
      sets.add(each);
    }
    return Settings.of(declared, null, sets);
  }

  private static String jaas(String user, String password) {
    return "kafka.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required"
        + " username=\"%s\" password=\"%s\";".formatted(user, password);
  }

  private static HttpResponse<InputStream> open(int port, String path, String token, String body)
      throws Exception {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path))
            .header("Accept", path.startsWith("/page/events") ? "text/event-stream" : "*/*");
    if (token != null) {
      request.header("Authorization", "Bearer " + token);
    }
    if (body != null) {
      request.header("Content-Type", "application/json").POST(BodyPublishers.ofString(body));
    }
    return HttpClient.newHttpClient().send(request.build(), BodyHandlers.ofInputStream());
  }

  private static int status(int port, String path, String token, String body) throws Exception {
    HttpResponse<InputStream> response = open(port, path, token, body);
    response.body().close();
    return response.statusCode();
  }

  private static JsonNode ask(int port, String path, String token, String body) throws Exception {
    HttpResponse<InputStream> response = open(port, path, token, body);
    try (InputStream in = response.body()) {
      String text = new String(in.readAllBytes(), UTF_8);
      assertThat(response.statusCode()).as(text).isEqualTo(200);
      return JSON.readTree(text);
    }
  }

  private static JsonNode seen(int port, String query) throws Exception {
    return ask(port, "/v1/dashboard?" + query, "see", null);
  }

  private static long revision() throws Exception {
    return ask(serving.port(), "/v1/rollouts?domain=films", null, null)
        .at("/domains/0/revision")
        .asLong();
  }

  @ParameterizedTest
  @CsvSource({
    "/v1/dashboard, see, GET, both",
    "/page/events, see, GET, both",
    "/v1/predict, see, POST, serving",
    "/v2/models/films/infer, see, POST, serving",
    "/v2/models/films/versions/2/infer, see, POST, both",
    "/v1/feedback, tell, POST, serving",
    "/v1/rollouts/canary, decide, POST, both",
    "/v1/rollouts/promote, decide, POST, both",
    "/v1/rollouts/rollback, decide, POST, both",
    "/v1/rollouts/pin, decide, POST, both",
    "/v1/rollouts/policy, decide, POST, both",
  })
  void withoutItsOwnTokenNothingIsGiven(String path, String token, String method, String of)
      throws Exception {
    List<String> wrong = new ArrayList<>(List.of("guess", "see", "tell", "decide", ""));
    wrong.remove(token);
    wrong.add(null);
    long revision = revision();
    for (int port : of.equals("both") ? ports : ports.subList(0, 1)) {
      for (String shown : wrong) {
        assertThat(status(port, path, shown, method.equals("POST") ? body(path) : null))
            .as("token %s at port %d", shown, port)
            .isEqualTo(401);
      }
    }
    assertThat(revision()).isEqualTo(revision);
  }

  /** One that is taken from whoever shows the token. */
  private static String body(String path) {
    return path.endsWith("/infer")
        ? INPUTS
        : "{\"domain\":\"films\",\"text\":\"x\",\"label\":\"good\",\"version\":2}";
  }

  @Test
  void withItPredictionsFeedbackAndDecisionsPassTheSecuredKafka() throws Exception {
    int port = serving.port();
    JsonNode predicted =
        ask(port, "/v1/predict", "see", "{\"domain\":\"films\",\"text\":\"a fine film\"}");
    ask(
        port,
        "/v1/feedback",
        "tell",
        "{\"requestId\":\"%s\",\"label\":\"good\"}".formatted(predicted.get("requestId").asText()));
    assertThat(examples()).extracting(LabeledExample::getText).containsExactly("a fine film");

    for (int each : ports) {
      JsonNode inferred = ask(each, "/v2/models/films/versions/2/infer", "see", INPUTS);
      assertThat(inferred.get("model_version").asText()).isEqualTo("2");
    }
    for (int i = 0; i < ports.size(); i++) {
      String pin = "{\"domain\":\"films\",\"version\":%d}".formatted(i + 1);
      assertThat(ask(ports.get(i), "/v1/rollouts/pin", "decide", pin).get("policy").asText())
          .isEqualTo("pinned");
    }
    Await.until(
        "both pages have both from the log",
        () ->
            seen(ports.get(0), "domain=films").at("/domain/rollout/revision").asInt() == 2
                && seen(ports.get(1), "domain=films").at("/domain/rollout/revision").asInt() == 2);
  }

  @Test
  void bothPagesShowWhatTheSecuredKafkaHolds() throws Exception {
    for (int port : ports) {
      Await.until(
          "all is read",
          () -> {
            JsonNode seen = seen(port, "domain=films");
            return seen.at("/domain/training/step").asLong() == 1
                && seen.at("/deadLetters/byReason/BlankText").asInt() == 1
                && seen.at("/overview/lag").isNumber()
                && seen.at("/overview/caughtUp").asBoolean();
          });
      assertThat(seen(port, "domain=films").at("/overview/problems")).isEmpty();

      HttpResponse<InputStream> events = open(port, "/page/events?domain=films", "see", null);
      assertThat(events.statusCode()).isEqualTo(200);
      try (BufferedReader lines = new BufferedReader(new InputStreamReader(events.body(), UTF_8))) {
        String data = lines.lines().filter(line -> line.startsWith("data:")).findFirst().get();
        assertThat(JSON.readTree(data.substring("data:".length())).at("/domain/domain").asText())
            .isEqualTo("films");
      }
    }
  }

  @Test
  void credentialsThatKafkaOrTheRegistryDoesNotTakeAreOneLineThatSaysWhere() throws Exception {
    String kafka = "Kafka at " + broker.securedServers();
    String schemas = registry.url();
    assertRefused(jaas("serve", "guess-word"), kafka, "Invalid username or password", "kafka.sasl");
    assertRefused(
        "kafka.ssl.truststore.location=" + registryTrust,
        kafka,
        "unable to find valid certification path",
        "kafka.ssl");
    assertRefused(
        "schema.registry.basic.auth.user.info=ada:guess-word",
        schemas,
        "401",
        "schema.registry.basic.auth");
    assertRefused(
        "schema.registry.ssl.truststore.location=" + brokerTrust,
        schemas,
        "unable to find valid certification path",
        "schema.registry.ssl");
  }

  @Test
  void aUserWithoutARightIsToldWhichTopicItIsAbout() throws Exception {
    List<String> notices = new CopyOnWriteArrayList<>();
    ServingProcess process = serve("without-right", notices, jaas("page", "me-too"));
    try {
      Await.until("it is said", () -> !notices.isEmpty());

      assertThat(notices)
          .singleElement()
          .asString()
          .startsWith("Kafka at " + broker.securedServers() + " does not let this user read: ")
          .contains(Topics.ADAPTERS, "docs/deployment.md")
          .endsWith("; trying again until it works");
    } finally {
      process.close();
    }
  }

  /** The console, the health page and the page itself say the same one line. */
  private static void assertRefused(String setting, String... said) throws Exception {
    List<String> notices = new CopyOnWriteArrayList<>();
    ServingProcess process = serve("refused" + setting.hashCode(), notices, setting);
    try {
      Await.until("it is said", () -> !notices.isEmpty());
      Await.until("and on the page", () -> !problems(process.port()).isEmpty());

      assertThat(notices)
          .singleElement()
          .asString()
          .contains(said)
          .endsWith("; trying again until it works")
          .doesNotContain("guess-word", "\n", "Exception");
      String line = notices.get(0).replace("; trying again until it works", "");
      assertThat(problems(process.port())).containsExactly(line);
      assertThat(status(process.port(), "/health/ready", null, null)).isEqualTo(503);
    } finally {
      process.close();
    }
  }

  private static List<String> problems(int port) throws Exception {
    List<String> problems = new ArrayList<>();
    seen(port, "page=0").at("/overview/problems").forEach(each -> problems.add(each.asText()));
    return problems;
  }

  /** What the topic of examples holds, read as the job does. */
  private static List<LabeledExample> examples() throws Exception {
    Connection connection = new Connection(settings(ServingSettings.ALL));
    List<LabeledExample> examples = new ArrayList<>();
    try (KafkaConsumer<byte[], byte[]> consumer =
            new KafkaConsumer<>(
                connection.properties(), new ByteArrayDeserializer(), new ByteArrayDeserializer());
        Deserializer<LabeledExample> reader = connection.deserializer(LabeledExample.class)) {
      List<TopicPartition> partition = List.of(new TopicPartition(Topics.LABELED_EXAMPLES, 0));
      consumer.assign(partition);
      consumer.seekToBeginning(partition);
      long end = consumer.endOffsets(partition).get(partition.get(0));
      while (consumer.position(partition.get(0)) < end) {
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
          examples.add(reader.deserialize(record.topic(), record.value()));
        }
      }
    }
    return examples;
  }
}
