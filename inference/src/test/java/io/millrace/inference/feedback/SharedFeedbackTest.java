package io.millrace.inference.feedback;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.client.kafka.Connection;
import io.millrace.client.settings.Settings;
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
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Two serving processes of one Kafka: a request at one, its label at the other. */
@Tag("integration")
@ExtendWith(Services.class)
class SharedFeedbackTest {
  private static final int PARTITIONS = 3;
  private static final AdapterVersion VERSION = TestAdapters.version("films", 4, null);

  /** Of the text and domain in claims. */
  private static final String ASKED =
      new ServedRequest(1, Instant.EPOCH, "films", "a text", "good", "films", 4, "", null, null)
          .asked();

  private static KafkaBroker broker;
  private static StubRegistry registry;

  @TempDir Path directory;
  private ServingProcess one;
  private ServingProcess other;

  @BeforeAll
  static void services(KafkaBroker kafka, StubRegistry schemas) {
    broker = kafka;
    registry = schemas;
  }

  @BeforeEach
  void start() throws Exception {
    broker.create(Topics.LABELED_EXAMPLES, PARTITIONS, Map.of());
    broker.create(Topics.SERVED_REQUESTS, PARTITIONS, Map.of());
    for (String name : List.of("one", "other")) {
      try (AdapterStore store = AdapterStore.open(directory.resolve(name).resolve("adapters"))) {
        store.put(VERSION, new StreamOffset(0, 1));
      }
    }
    one = serve("one");
    other = serve("other");
  }

  @AfterEach
  void stop() {
    one.close();
    other.close();
  }

  private static Settings settings() {
    return Settings.of(
        ServingSettings.ALL,
        null,
        List.of(
            "model.store=" + TestAdapters.models(),
            "kafka.bootstrap.servers=" + broker.bootstrapServers(),
            "schema.registry.url=" + registry.url()));
  }

  private ServingProcess serve(String name) throws Exception {
    ServingProcess process =
        ServingProcess.listen(settings(), directory.resolve(name), 0, notice -> {});
    process.load((model, done, total) -> {});
    return process;
  }

  @Test
  void aLabelAtTheOtherProcessIsJoinedAndWrittenOnce() throws Exception {
    String id = predict(one, null, "a fine film").body().get("requestId").asText();

    Api.Reply reply = api(other).feedback(id, "so-so");

    assertThat(reply.status()).as(reply.response().body()).isEqualTo(200);
    LabeledExample example = example(records().get(0));
    assertThat(example.getId()).isEqualTo(id);
    assertThat(example.getText()).isEqualTo("a fine film");
    assertThat(example.getLabel()).isEqualTo("so-so");
    assertThat(example.getMetadata())
        .containsEntry("version", "4")
        .containsEntry("sha256", VERSION.getSha256());
    for (ServingProcess each : List.of(one, other)) {
      assertThat(api(each).feedback(id, "so-so").body()).isEqualTo(reply.body());
      assertThat(api(each).feedback(id, "bad").status()).isEqualTo(409);
    }
    assertThat(records()).hasSize(1);
  }

  @Test
  void aLabelOutlivesTheProcessThatAnswered() throws Exception {
    predict(one, "r1", "a text");
    awaitKnown(1);
    assertThat(ask(other, "r1", "another text").status()).isEqualTo(409);
    one.close();

    assertThat(api(other).feedback("r1", "good").status()).isEqualTo(200);
    assertThat(records()).extracting(record -> example(record).getText()).containsExactly("a text");
  }

  @Test
  void manyAtOnceAtBothAreOneExample() throws Exception {
    predict(one, "r1", "a text");
    ExecutorService clients = Executors.newFixedThreadPool(16);
    List<Future<Api.Reply>> replies = new ArrayList<>();
    for (int i = 0; i < 32; i++) {
      ServingProcess asked = i % 2 == 0 ? one : other;
      replies.add(clients.submit(() -> api(asked).feedback("r1", "good")));
    }
    clients.shutdown();

    for (Future<Api.Reply> reply : replies) {
      assertThat(reply.get().status()).as(reply.get().response().body()).isEqualTo(200);
      assertThat(reply.get().body()).isEqualTo(replies.get(0).get().body());
    }
    assertThat(records()).hasSize(1);
  }

  @Test
  void ofTwoLabelsAtOnceOneIsWritten() throws Exception {
    for (int i = 0; i < 5; i++) {
      String id = "r" + i;
      predict(one, id, "a text");
      ExecutorService clients = Executors.newFixedThreadPool(2);
      Future<Api.Reply> good = clients.submit(() -> api(one).feedback(id, "good"));
      Future<Api.Reply> bad = clients.submit(() -> api(other).feedback(id, "bad"));
      clients.shutdown();

      assertThat(List.of(good.get().status(), bad.get().status()))
          .containsExactlyInAnyOrder(200, 409);
    }
    assertThat(records()).hasSize(5);
  }

  @Test
  void whatAnEndedProcessMayHaveWrittenIsReadBackBeforeItIsWrittenAgain() throws Exception {
    predict(one, "written", "a text");
    predict(one, "not written", "a text");
    awaitKnown(2);
    one.close();
    write("written", "good");
    Instant longAgo = Instant.now().minusSeconds(120);
    claim("written", new ServedRequest.Claim("a", "gone", "good", longAgo));
    claim("not written", new ServedRequest.Claim("b", "gone", "good", longAgo));
    claim("late", new ServedRequest.Claim("c", "gone", "good", longAgo));

    Await.until(
        "both are answered",
        () ->
            api(other).feedback("written", "good").status() == 200
                && api(other).feedback("not written", "good").status() == 200);

    assertThat(api(other).feedback("written", "good").body().get("offset").asLong()).isZero();
    assertThat(records())
        .extracting(record -> example(record).getId())
        .containsExactlyInAnyOrder("written", "not written");
  }

  @Test
  void whatThisProcessMayHaveWrittenBeforeItWasKilledIsReadBackToo() throws Exception {
    predict(one, "r1", "a text");
    one.close();
    write("r1", "good");
    Path store = directory.resolve("one").resolve("requests");
    try (ServedRequests requests =
        ServedRequests.open(store, Duration.ofHours(1), 1000, Clock.systemUTC())) {
      ServedRequest.Claim claim =
          new ServedRequest.Claim("a", requests.process(), "good", Instant.now());
      assertThat(requests.claim(ServedRequests.id("r1"), ASKED, claim, null)).isTrue();
      claim("r1", claim);
    }
    one = serve("one");

    assertThat(api(one).feedback("r1", "good").status()).isEqualTo(200);
    assertThat(api(one).feedback("r1", "bad").status()).isEqualTo(409);
    assertThat(records()).hasSize(1);
  }

  @Test
  void oneIdAtBothAtOnceIsTwoRequestsWithTheirOwnLabels() throws Exception {
    ExecutorService clients = Executors.newFixedThreadPool(2);
    Future<Api.Reply> first = clients.submit(() -> ask(one, "r1", "one text"));
    Future<Api.Reply> second = clients.submit(() -> ask(other, "r1", "other text"));
    clients.shutdown();

    List<String> answered = new ArrayList<>();
    if (first.get().status() == 200) {
      answered.add("one text good");
      assertThat(api(one).feedback("r1", "good").status()).isEqualTo(200);
    }
    if (second.get().status() == 200) {
      answered.add("other text bad");
      assertThat(api(other).feedback("r1", "bad").status()).isEqualTo(200);
    }
    assertThat(answered).isNotEmpty();
    assertThat(records())
        .extracting(record -> example(record).getText() + " " + example(record).getLabel())
        .containsExactlyInAnyOrderElementsOf(answered);
  }

  /** Waits until the other process has heard of so many requests. */
  private void awaitKnown(int requests) throws Exception {
    Await.until(
        "the other knows them",
        () -> Scrape.of(other.port()).value("millrace_remembered_requests") >= requests);
  }

  private static Api api(ServingProcess process) {
    return new Api(process.port());
  }

  private static Api.Reply predict(ServingProcess process, String id, String text)
      throws Exception {
    Api.Reply reply = ask(process, id, text);
    assertThat(reply.status()).isEqualTo(200);
    return reply;
  }

  private static Api.Reply ask(ServingProcess process, String id, String text) throws Exception {
    ObjectNode body = new ObjectMapper().createObjectNode().put("domain", "films");
    body.put("text", text);
    if (id != null) {
      body.put("requestId", id);
    }
    return api(process).post("/v1/predict", body.toString().getBytes(UTF_8));
  }

  /** As a process does before it writes an example. */
  private static void claim(String id, ServedRequest.Claim claim) throws Exception {
    ObjectNode record = ServedRequests.json(claim).put("kind", "claim").putNull("after");
    record.put("asked", ASKED);
    send(Topics.SERVED_REQUESTS, ServedRequests.id(id), record.toString().getBytes(UTF_8));
  }

  private static void write(String id, String label) throws Exception {
    LabeledExample example =
        LabeledExample.newBuilder()
            .setId(id)
            .setDomain("films")
            .setText("a text")
            .setLabel(label)
            .setEventTime(Instant.now())
            .setMetadata(Map.of("source", "feedback"))
            .build();
    byte[] bytes =
        new Connection(settings()).serializer().serialize(Topics.LABELED_EXAMPLES, example);
    send(Topics.LABELED_EXAMPLES, "films".getBytes(UTF_8), bytes);
  }

  private static void send(String topic, byte[] key, byte[] value) throws Exception {
    try (KafkaProducer<byte[], byte[]> producer =
        new KafkaProducer<>(
            new Connection(settings()).properties(),
            new ByteArraySerializer(),
            new ByteArraySerializer())) {
      producer.send(new ProducerRecord<>(topic, key, value)).get();
    }
  }

  private static LabeledExample example(ConsumerRecord<byte[], byte[]> record) {
    return new Connection(settings())
        .deserializer(LabeledExample.class)
        .deserialize(Topics.LABELED_EXAMPLES, record.value());
  }

  private static List<ConsumerRecord<byte[], byte[]>> records() {
    List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
    try (KafkaConsumer<byte[], byte[]> consumer =
        new KafkaConsumer<>(
            new Connection(settings()).properties(),
            new ByteArrayDeserializer(),
            new ByteArrayDeserializer())) {
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
