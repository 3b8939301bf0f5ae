package io.millrace.inference.feedback;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.client.kafka.Connection;
import io.millrace.client.settings.Settings;
import io.millrace.inference.ServeCommand;
import io.millrace.inference.ServingProcess;
import io.millrace.inference.ServingSettings;
import io.millrace.inference.TestAdapters;
import io.millrace.inference.http.Api;
import io.millrace.inference.metrics.Scrape;
import io.millrace.inference.store.AdapterStore;
import io.millrace.inference.store.StreamOffset;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.Topics;
import io.millrace.testing.Await;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.Services;
import io.millrace.testing.StubRegistry;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.Deserializer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** From a prediction to a labeled example in Kafka. */
@Tag("integration")
@ExtendWith(Services.class)
class FeedbackTest {
  private static final int PARTITIONS = 3;
  private static final AdapterVersion VERSION = TestAdapters.version("films", 4, null);

  private static KafkaBroker broker;
  private static StubRegistry registry;

  @TempDir Path directory;
  private ServingProcess process;
  private Api api;

  @BeforeAll
  static void services(KafkaBroker kafka, StubRegistry schemas) throws Exception {
    broker = kafka;
    registry = schemas;
  }

  @BeforeEach
  void createTopic() throws Exception {
    broker.create(Topics.LABELED_EXAMPLES, PARTITIONS, Map.of());
    try (AdapterStore store = AdapterStore.open(directory.resolve("adapters"))) {
      store.put(VERSION, new StreamOffset(0, 1));
    }
    start();
  }

  @AfterEach
  void stop() {
    process.close();
  }

  private static Settings settings(String... more) {
    List<String> sets =
        new ArrayList<>(
            List.of(
                "model.store=" + TestAdapters.models(),
                "kafka.bootstrap.servers=" + broker.bootstrapServers(),
                "schema.registry.url=" + registry.url()));
    sets.addAll(List.of(more));
    return Settings.of(ServingSettings.ALL, null, sets);
  }

  private void start(String... more) throws Exception {
    process = ServingProcess.listen(settings(more), directory, 0, notice -> {});
    process.load((model, done, total) -> {});
    api = new Api(process.port());
  }

  @Test
  void aLabelMakesAnExampleOfTheRequestThatWasServed() throws Exception {
    Instant before = Instant.now().truncatedTo(ChronoUnit.MILLIS);
    Api.Reply prediction = api.predict("films", "a fine film");
    Instant after = Instant.now();
    String id = prediction.body().get("requestId").asText();

    Api.Reply reply = api.feedback(id, "so-so");

    assertThat(reply.status()).isEqualTo(200);
    assertThat(reply.body().get("requestId").asText()).isEqualTo(id);
    assertThat(reply.body().get("domain").asText()).isEqualTo("films");
    assertThat(reply.body().get("label").asText()).isEqualTo("so-so");
    ConsumerRecord<byte[], byte[]> record = records().get(0);
    assertThat(records()).hasSize(1);
    assertThat(record.key()).isEqualTo("films".getBytes(UTF_8));
    assertThat(record.partition()).isEqualTo(reply.body().get("partition").asInt());
    assertThat(record.offset()).isEqualTo(reply.body().get("offset").asLong());
    LabeledExample example = example(record);
    assertThat(example.getId()).isEqualTo(id);
    assertThat(example.getDomain()).isEqualTo("films");
    assertThat(example.getText()).isEqualTo("a fine film");
    assertThat(example.getLabel()).isEqualTo("so-so");
    assertThat(example.getWeight()).isEqualTo(1);
    assertThat(example.getEventTime()).isBetween(before, after);
    assertThat(example.getMetadata())
        .isEqualTo(
            Map.of(
                "source",
                "feedback",
                "version",
                "4",
                "sha256",
                VERSION.getSha256(),
                "predicted",
                prediction.body().get("label").asText()));
  }

  @Test
  void aLabelForADomainWithoutAnAdapterMakesAnExampleOfThatDomain() throws Exception {
    Api.Reply ofParent = api.predict("films/old", "a fine film");
    Api.Reply ofBase = api.predict("books", "a fine book");

    for (Api.Reply prediction : List.of(ofParent, ofBase)) {
      assertThat(prediction.status()).isEqualTo(200);
      String id = prediction.body().get("requestId").asText();
      Api.Reply reply = api.feedback(id, "good");
      assertThat(reply.status()).isEqualTo(200);
      assertThat(reply.body().get("domain")).isEqualTo(prediction.body().get("domain"));
    }

    Map<String, LabeledExample> examples = new HashMap<>();
    for (ConsumerRecord<byte[], byte[]> record : records()) {
      examples.put(new String(record.key(), UTF_8), example(record));
    }
    assertThat(examples.keySet()).containsExactlyInAnyOrder("films/old", "books");
    assertThat(examples.get("films/old").getDomain()).isEqualTo("films/old");
    assertThat(examples.get("films/old").getMetadata())
        .containsEntry("servedBy", "parent")
        .containsEntry("servedDomain", "films")
        .containsEntry("version", "4")
        .containsEntry("sha256", VERSION.getSha256());
    assertThat(examples.get("books").getMetadata())
        .isEqualTo(Map.of("source", "feedback", "servedBy", "base"));
  }

  @Test
  void eachTextOfAListCanGetItsLabel() throws Exception {
    Api.Reply reply =
        api.post(
            "/v1/predict",
            ("{\"inputs\":[{\"domain\":\"films\",\"text\":\"one\"},"
                    + "{\"domain\":\"films/old\",\"text\":\"two\",\"requestId\":\"l2\"}]}")
                .getBytes(UTF_8));
    String first = reply.body().at("/answers/0/requestId").asText();

    assertThat(api.feedback(first, "good").body().get("domain").asText()).isEqualTo("films");
    assertThat(api.feedback("l2", "bad").body().get("domain").asText()).isEqualTo("films/old");

    List<String> made = new ArrayList<>();
    for (ConsumerRecord<byte[], byte[]> record : records()) {
      LabeledExample example = example(record);
      made.add(example.getId() + " " + example.getText() + " " + example.getLabel());
    }
    assertThat(made).containsExactlyInAnyOrder(first + " one good", "l2 two bad");
  }

  @Test
  void theSameLabelAgainIsWrittenOnceAlsoAfterARestartAndAnotherIsAConflict() throws Exception {
    predict("r1");
    Api.Reply first = api.feedback("r1", "good");
    assertThat(api.feedback("r1", "good").body()).isEqualTo(first.body());
    assertThat(api.feedback("r1", "bad").status()).isEqualTo(409);

    process.close();
    start();

    Api.Reply again = api.feedback("r1", "good");
    assertThat(again.status()).isEqualTo(200);
    assertThat(again.body()).isEqualTo(first.body());
    Api.Reply other = api.feedback("r1", "bad");
    assertThat(other.status()).isEqualTo(409);
    assertThat(other.error()).isEqualTo("that request has the label \"good\" already");
    assertThat(records()).hasSize(1);
  }

  @Test
  void aKilledProcessRemembersWhatItAnsweredWhenItIsStartedAgain(@TempDir Path home)
      throws Exception {
    process.close();
    Path portFile = home.resolve("port");
    Process killed =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx400m",
                "-XX:+UseSerialGC",
                "-Dai.djl.offline=true",
                "-Dmillrace.home=" + home,
                "-Dlog4j2.configurationFile=log4j2.xml",
                "-cp",
                System.getProperty("java.class.path"),
                ServeCommand.class.getName(),
                "--data",
                directory.toString(),
                "--port",
                "0",
                "--port-file",
                portFile.toString(),
                "--set",
                "model.store=" + TestAdapters.models(),
                "--set",
                "kafka.bootstrap.servers=127.0.0.1:1")
            .redirectErrorStream(true)
            .redirectOutput(home.resolve("out").toFile())
            .start();
    try {
      Await.until("it listens", () -> Files.exists(portFile));
      api = new Api(Integer.parseInt(Files.readString(portFile).strip()));
      Await.until("it serves", () -> api.predict("films", "x").status() == 200);
      for (int i = 0; i < 20; i++) {
        predict("k" + i);
      }
    } finally {
      killed.destroyForcibly().waitFor();
    }

    start();
    for (int i = 0; i < 20; i++) {
      assertThat(api.feedback("k" + i, "good").status()).isEqualTo(200);
    }
    assertThat(records()).hasSize(20);
  }

  @Test
  void manyAtOnceWithOneLabelAreOneExample() throws Exception {
    predict("r1");
    ExecutorService clients = Executors.newFixedThreadPool(16);
    List<Future<Api.Reply>> replies = new ArrayList<>();
    for (int i = 0; i < 64; i++) {
      replies.add(clients.submit(() -> api.feedback("r1", "good")));
    }
    clients.shutdown();

    for (Future<Api.Reply> reply : replies) {
      assertThat(reply.get().status()).isEqualTo(200);
      assertThat(reply.get().body()).isEqualTo(replies.get(0).get().body());
    }
    assertThat(records()).hasSize(1);
  }

  @Test
  void anUnknownIdIs404AndWritesNothing() throws Exception {
    predict("r1");
    Api.Reply reply = api.feedback("r2", "good");

    assertThat(reply.status()).isEqualTo(404);
    assertThat(reply.error())
        .isEqualTo("no request of that id was answered here, or it was too long ago");
    api.predict("no such", "x");
    assertThat(records()).isEmpty();
  }

  @Test
  void anIdInUseIsNotGivenToAnotherRequest() throws Exception {
    predict("r1", "first");

    Api.Reply other = ask("films", "r1", "second");
    assertThat(other.status()).isEqualTo(409);
    assertThat(other.error())
        .isEqualTo("another request has this requestId: choose another, or leave it out");
    assertThat(ask("films", "r1", "first").status()).as("asked again").isEqualTo(200);
    api.feedback("r1", "good");
    assertThat(ask("films", "r1", "second").status()).as("after feedback").isEqualTo(409);

    assertThat(records()).extracting(record -> example(record).getText()).containsExactly("first");
  }

  @Test
  void ofManyWhoTakeOneIdAtOnceOneHasIt() throws Exception {
    ExecutorService clients = Executors.newFixedThreadPool(16);
    List<Future<Api.Reply>> replies = new ArrayList<>();
    for (int i = 0; i < 32; i++) {
      String text = "text " + i;
      replies.add(clients.submit(() -> ask("films", "r1", text)));
    }
    clients.shutdown();

    List<Integer> answered = new ArrayList<>();
    for (int i = 0; i < replies.size(); i++) {
      if (replies.get(i).get().status() == 200) {
        answered.add(i);
      }
    }
    assertThat(answered).hasSize(1);
    api.feedback("r1", "good");
    assertThat(records())
        .extracting(record -> example(record).getText())
        .containsExactly("text " + answered.get(0));
  }

  @Test
  void anExpiredIdIs404() throws Exception {
    process.close();
    start("serving.feedbackWindow=1ms");
    predict("r1");

    Await.until("it is forgotten", () -> api.feedback("r1", "good").status() == 404);
  }

  @Test
  void feedbackThatIsTurnedOffSaysSo() throws Exception {
    process.close();
    start("serving.feedbackWindow=none");
    predict("r1");

    Api.Reply reply = api.feedback("r1", "good");
    assertThat(reply.status()).isEqualTo(404);
    assertThat(reply.error())
        .isEqualTo("feedback is turned off here: serving.feedbackWindow is none");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "[]",
        "{\"requestId\":\"r1\"}",
        "{\"label\":\"good\"}",
        "{\"requestId\":\"r1\",\"label\":\" \"}",
        "{\"requestId\":\" \",\"label\":\"good\"}",
        "{\"requestId\":\"r1\",\"label\":1}",
        "{\"requestId\":\"r1\",\"label\":null}",
        "{\"requestId\":\"r1\",\"label\":\"a\\u0000b\"}",
        "{\"requestId\":\"r1\",\"label\":\"a\\ud83d\"}",
        "{\"requestId\":\"r1\",\"label\":\"TOO LONG\"}",
      })
  void aBadBodyIs400AndWritesNothing(String body) throws Exception {
    predict("r1");
    byte[] bytes = body.replace("TOO LONG", "x".repeat(1025)).getBytes(UTF_8);

    assertThat(api.post("/v1/feedback", bytes).status()).isEqualTo(400);
    assertThat(records()).isEmpty();
  }

  @Test
  void aTextThatIsTooLongForAnExampleIs400() throws Exception {
    predict("r1", "x".repeat(ServedRequest.MAX_TEXT_BYTES + 1));

    Api.Reply reply = api.feedback("r1", "good");
    assertThat(reply.status()).isEqualTo(400);
    assertThat(reply.error())
        .isEqualTo("the text of that request is longer than 65536 bytes, and so no example");
  }

  @Test
  void whileKafkaIsAwayItIs503AndTheNextTryEndsAsTheSameExample() throws Exception {
    predict("r0");
    assertThat(api.feedback("r0", "good").status()).isEqualTo(200);
    predict("r1");
    broker.stop();
    try {
      Api.Reply reply = api.feedback("r1", "good");
      assertThat(reply.status()).isEqualTo(503);
      assertThat(reply.response().headers().firstValue("Retry-After")).contains("1");
      assertThat(api.feedback("nobody", "good").status()).as("needs no Kafka").isEqualTo(404);
    } finally {
      broker.start();
    }

    Await.until("it is written", () -> api.feedback("r1", "good").status() == 200);
    assertThat(records()).extracting(record -> example(record).getId()).containsExactly("r0", "r1");
  }

  @Test
  void whileTheRegistryIsAwayItIs503() throws Exception {
    registry.setFailing(true);
    predict("r1");
    try {
      assertThat(api.feedback("r1", "good").status()).isEqualTo(503);
    } finally {
      registry.setFailing(false);
    }
    assertThat(api.feedback("r1", "good").status()).isEqualTo(200);
  }

  @Test
  void theExampleBelongsToTheTraceOfTheLabel() throws Exception {
    String parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    predict("r1");

    Api.Reply reply =
        api.post(
            "/v1/feedback",
            "{\"requestId\":\"r1\",\"label\":\"good\"}".getBytes(UTF_8),
            Map.of("traceparent", parent, "tracestate", "vendor=1"));

    assertThat(reply.status()).isEqualTo(200);
    assertThat(reply.response().headers().firstValue("traceparent")).contains(parent);
    Headers headers = records().get(0).headers();
    assertThat(headers.lastHeader("traceparent").value()).isEqualTo(parent.getBytes(UTF_8));
    assertThat(headers.lastHeader("tracestate").value()).isEqualTo("vendor=1".getBytes(UTF_8));
  }

  @Test
  void whatCameOfFeedbackIsCounted() throws Exception {
    predict("r1");
    api.feedback("r1", "good");
    api.feedback("r1", "good");
    api.feedback("r1", "bad");
    api.feedback("r2", "bad");

    Scrape scrape = Scrape.of(process.port());
    for (String outcome : List.of("written", "repeated", "other-label", "unknown")) {
      assertThat(scrape.value("millrace_feedback_total{outcome=\"" + outcome + "\"}"))
          .as(outcome)
          .isEqualTo(1);
    }
    assertThat(scrape.value("millrace_remembered_requests")).isEqualTo(1);
  }

  private void predict(String id) throws Exception {
    predict(id, "a text");
  }

  private void predict(String id, String text) throws Exception {
    assertThat(ask("films", id, text).status()).isEqualTo(200);
  }

  private Api.Reply ask(String domain, String id, String text) throws Exception {
    byte[] body =
        "{\"domain\":\"%s\",\"text\":\"%s\",\"requestId\":\"%s\"}"
            .formatted(domain, text, id)
            .getBytes(UTF_8);
    return api.post("/v1/predict", body);
  }

  private static LabeledExample example(ConsumerRecord<byte[], byte[]> record) {
    try (Deserializer<LabeledExample> deserializer =
        new Connection(settings()).deserializer(LabeledExample.class)) {
      return deserializer.deserialize(Topics.LABELED_EXAMPLES, record.value());
    }
  }

  /** Everything in the topic. */
  private static List<ConsumerRecord<byte[], byte[]>> records() {
    Properties properties = new Connection(settings()).properties();
    List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
    try (KafkaConsumer<byte[], byte[]> consumer =
        new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      List<TopicPartition> partitions =
          IntStream.range(0, PARTITIONS)
              .mapToObj(p -> new TopicPartition(Topics.LABELED_EXAMPLES, p))
              .toList();
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      long end = consumer.endOffsets(partitions).values().stream().mapToLong(e -> e).sum();
      while (records.size() < end) {
        consumer.poll(Duration.ofMillis(100)).forEach(records::add);
      }
    }
    return records;
  }
}
