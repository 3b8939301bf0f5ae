package io.millrace.inference.http;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import io.millrace.client.kafka.Connection;
import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Settings;
import io.millrace.inference.ServingProcess;
import io.millrace.inference.ServingSettings;
import io.millrace.inference.TestAdapters;
import io.millrace.inference.TestPublisher;
import io.millrace.inference.TestTopics;
import io.millrace.inference.decide.RolloutDesk;
import io.millrace.inference.decide.RolloutRequest;
import io.millrace.inference.metrics.ServingMetrics;
import io.millrace.inference.serving.AdapterCatalog;
import io.millrace.inference.serving.AdapterLoader;
import io.millrace.inference.serving.Merger;
import io.millrace.inference.store.AdapterStore;
import io.millrace.inference.store.StreamOffset;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.Topics;
import io.millrace.testing.Await;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.Services;
import io.millrace.testing.StubRegistry;
import java.net.URLEncoder;
import java.net.http.HttpRequest;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.BiFunction;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Rollouts over HTTP, decided by a real log. */
@Tag("integration")
@ExtendWith(Services.class)
class RolloutApiTest {
  private static final String TOKEN = "a-secret";
  private static final int PARTITIONS = 2;

  @TempDir static Path directory;
  private static KafkaBroker broker;
  private static StubRegistry registry;
  private static TestPublisher publisher;
  private static ServingProcess process;
  private static int domains;

  private Api api = new Api(process.port());

  /** Each test's own, with versions 1 to 5. */
  private String domain;

  private List<AdapterVersion> chain;

  @BeforeAll
  static void start(KafkaBroker kafka, StubRegistry schemas) throws Exception {
    broker = kafka;
    registry = schemas;
    TestTopics.createAdapters(broker, PARTITIONS);
    TestTopics.createRollouts(broker, PARTITIONS);
    publisher = new TestPublisher(settings(), PARTITIONS);
    process =
        ServingProcess.listen(
            settings("serving.rolloutToken=" + TOKEN), directory.resolve("serve"), 0, notice -> {});
    process.load((model, done, total) -> {});
  }

  @AfterAll
  static void stop() {
    process.close();
    publisher.close();
  }

  @BeforeEach
  void publish() throws Exception {
    domain = "films" + ++domains;
    chain = TestAdapters.chain(domain, 5);
    publisher.publish(chain);
    Await.until("ready", api::isReady);
    Await.until("the newest serves", () -> api.serving(domain) == 5);
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

  private Api.Reply decide(String action, String body) throws Exception {
    return decide(action, body, "Bearer " + TOKEN);
  }

  private Api.Reply decide(String action, String body, String authorization) throws Exception {
    HttpRequest.Builder request =
        api.request("/v1/rollouts/" + action).header("Content-Type", "application/json");
    if (authorization != null) {
      request.header("Authorization", authorization);
    }
    return api.send(request, body.replace("films", domain).getBytes(UTF_8));
  }

  private JsonNode films() throws Exception {
    return api.get("/v1/rollouts?domain=" + domain).body().path("domains").path(0);
  }

  /** Events in the log, of all domains. */
  private static long appended() {
    return onLog(
        (consumer, partitions) ->
            consumer.endOffsets(partitions).values().stream().mapToLong(end -> end).sum());
  }

  /** The traces of the events in the log that have one. */
  private static List<String> traces() {
    return onLog(
        (consumer, partitions) -> {
          List<String> traces = new ArrayList<>();
          consumer.seekToBeginning(partitions);
          long end = consumer.endOffsets(partitions).values().stream().mapToLong(e -> e).sum();
          for (long read = 0; read < end; ) {
            for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
              read++;
              Header trace = record.headers().lastHeader("traceparent");
              if (trace != null) {
                traces.add(new String(trace.value(), UTF_8));
              }
            }
          }
          return traces;
        });
  }

  private static <T> T onLog(
      BiFunction<KafkaConsumer<byte[], byte[]>, List<TopicPartition>, T> read) {
    List<TopicPartition> partitions =
        IntStream.range(0, PARTITIONS)
            .mapToObj(partition -> new TopicPartition(Topics.ROLLOUTS, partition))
            .toList();
    try (KafkaConsumer<byte[], byte[]> consumer =
        new KafkaConsumer<>(
            new Connection(settings()).properties(),
            new ByteArrayDeserializer(),
            new ByteArrayDeserializer())) {
      consumer.assign(partitions);
      return read.apply(consumer, partitions);
    }
  }

  @Test
  void aDecisionBelongsToTheTraceOfItsRequest() throws Exception {
    String parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-%016x-01".formatted(System.nanoTime());

    Api.Reply pinned =
        api.post(
            "/v1/rollouts/pin",
            "{\"domain\":\"%s\",\"version\":2}".formatted(domain).getBytes(UTF_8),
            Map.of("traceparent", parent, "Authorization", "Bearer " + TOKEN));

    assertThat(pinned.status()).isEqualTo(200);
    assertThat(pinned.response().headers().firstValue("traceparent")).contains(parent);
    assertThat(traces()).contains(parent);
  }

  @Test
  void aCanaryIsTriedPromotedAndRolledBack() throws Exception {
    Api.Reply canary =
        decide(
            "canary",
            "{\"domain\":\"films\",\"version\":4,\"share\":0.25,\"author\":\"ann\","
                + "\"reason\":\"looks good\"}");

    assertThat(canary.status()).isEqualTo(200);
    assertThat(canary.body().get("policy").asText()).isEqualTo("canary");
    assertThat(canary.body().get("revision").asLong()).isEqualTo(1);
    assertThat(canary.body().get("stable").get("version").asLong()).isEqualTo(5);
    assertThat(canary.body().get("candidate").get("version").asLong()).isEqualTo(4);
    assertThat(canary.body().get("candidate").get("sha256").asText())
        .isEqualTo(chain.get(3).getSha256());
    assertThat(canary.body().get("share").asDouble()).isEqualTo(0.25);
    assertThat(canary.body().get("decided").get("author").asText()).isEqualTo("ann");
    assertThat(canary.body().get("decided").get("reason").asText()).isEqualTo("looks good");
    assertThat(films()).isEqualTo(canary.body());

    JsonNode promoted = decide("promote", "{\"domain\":\"films\"}").body();
    assertThat(promoted.get("stable").get("version").asLong()).isEqualTo(4);
    assertThat(promoted.get("previous").get("version").asLong()).isEqualTo(5);
    assertThat(promoted.get("candidate").isNull()).isTrue();

    JsonNode back = decide("rollback", "{\"domain\":\"films\"}").body();
    assertThat(back.get("stable").get("version").asLong()).isEqualTo(5);
    assertThat(back.get("revision").asLong()).isEqualTo(3);

    JsonNode pinned = decide("pin", "{\"domain\":\"films\",\"version\":2}").body();
    assertThat(pinned.get("policy").asText()).isEqualTo("pinned");
    assertThat(pinned.get("stable").get("version").asLong()).isEqualTo(2);

    JsonNode manual = decide("policy", "{\"domain\":\"films\",\"policy\":\"manual\"}").body();
    assertThat(manual.get("policy").asText()).isEqualTo("manual");
    assertThat(films()).isEqualTo(manual);
  }

  @Test
  void theHistorySaysWhoDecidedWhatAndWhatWasAtATime() throws Exception {
    decide("pin", "{\"domain\":\"films\",\"version\":2,\"author\":\"ann\"}");
    JsonNode first = api.get("/v1/rollouts/history?domain=" + domain).body().get("events").get(0);
    Instant after = Instant.parse(first.get("time").asText());
    Await.until("the log's clock ticks", () -> Instant.now().isAfter(after.plusMillis(1)));
    decide("pin", "{\"domain\":\"films\",\"version\":3,\"author\":\"bob\",\"reason\":\"why\"}");

    JsonNode now = api.get("/v1/rollouts/history?domain=" + domain).body();
    assertThat(now.get("at").isNull()).isTrue();
    assertThat(now.get("rollout")).isEqualTo(films());
    assertThat(now.get("events")).hasSize(2);
    JsonNode second = now.get("events").get(1);
    assertThat(second.get("action").asText()).isEqualTo("pin");
    assertThat(second.get("author").asText()).isEqualTo("bob");
    assertThat(second.get("reason").asText()).isEqualTo("why");
    assertThat(second.get("offset").asLong()).isGreaterThan(first.get("offset").asLong());
    assertThat(second.get("effect").asBoolean()).isTrue();
    assertThat(second.get("after").get("revision").asLong()).isEqualTo(2);

    JsonNode latest = api.get("/v1/rollouts/history?limit=1&domain=" + domain).body();
    assertThat(latest.get("events")).containsExactly(second);
    JsonNode then = api.get("/v1/rollouts/history?domain=" + domain + "&at=" + after).body();
    assertThat(then.get("events")).containsExactly(first);
    assertThat(then.get("rollout").get("stable").get("version").asLong()).isEqualTo(2);
    String zoned = URLEncoder.encode("2001-01-01T00:00:00+01:00", UTF_8);
    JsonNode before = api.get("/v1/rollouts/history?domain=" + domain + "&at=" + zoned).body();
    assertThat(before.get("at").asText()).isEqualTo("2000-12-31T23:00:00.000Z");
    assertThat(before.get("events")).isEmpty();
    assertThat(before.get("rollout").get("revision").asLong()).isZero();
  }

  @ParameterizedTest
  @CsvSource({
    "'', 400",
    "'?domain=nobody', 404",
    "'?domain=films&at=yesterday', 400",
    "'?domain=films&limit=0', 400",
    "'?domain=films&limit=10001', 400",
    "'?domain=films&limit=x', 400",
    "'?domain=films&at=2026-01-01T00:00:00Z&limit=5', 200",
  })
  void aHistoryIsAskedForProperly(String query, int status) throws Exception {
    assertThat(api.get("/v1/rollouts/history" + query.replace("films", domain)).status())
        .isEqualTo(status);
  }

  @Test
  void domainsThatNobodyDecidedAboutAreThereToo() throws Exception {
    JsonNode all = api.get("/v1/rollouts").body().get("domains");

    assertThat(all).hasSize(domains).contains(films());
    assertThat(films().get("policy").asText()).isEqualTo("latest");
    assertThat(films().get("revision").asLong()).isZero();
    assertThat(films().get("decided").isNull()).isTrue();
    assertThat(api.get("/v1/rollouts?domain=nobody").body().get("domains")).isEmpty();
  }

  @Test
  void whatIsDecidedServesHereWhenTheAnswerComes() throws Exception {
    for (long version : List.of(2, 4, 1, 5, 3)) {
      String body = "{\"domain\":\"films\",\"version\":" + version + "}";
      assertThat(decide("pin", body).status()).isEqualTo(200);
      assertThat(api.predict(domain, "x").body().get("version").asLong()).isEqualTo(version);
    }
  }

  @Test
  void withoutATokenOfItsOwnItLetsNobodyDecide() throws Exception {
    long before = appended();
    HttpService other = listen(settings());
    Api.Reply reply = decide("pin", "{\"domain\":\"films\"}");
    assertThat(reply.status()).isEqualTo(403);
    assertThat(reply.error())
        .isEqualTo(
            "nobody may decide over HTTP here: neither serving.rolloutToken nor"
                + " serving.rolloutTokenFile is set");
    assertThat(appended()).isEqualTo(before);
    other.stop(Duration.ZERO);
  }

  private static Optional<BearerToken> token(Settings settings) {
    return BearerToken.of(settings, BearerToken.ROLLOUT, BearerToken.ROLLOUT_FILE);
  }

  /** A door with another token, to a desk where nothing comes back from the log. */
  private HttpService listen(Settings settings) throws Exception {
    ServingMetrics metrics = new ServingMetrics();
    AdapterStore store = AdapterStore.open(directory.resolve("other" + domains));
    chain.forEach(version -> store.put(version, new StreamOffset(0, version.getVersion())));
    AdapterCatalog catalog = new AdapterCatalog(store, new Merger(0, metrics), metrics);
    catalog.load(new AdapterLoader(store, TestAdapters.base()));
    RolloutDesk desk = new RolloutDesk(catalog, new Connection(settings), () -> true);
    HttpService http =
        HttpService.start(
            "127.0.0.1",
            0,
            RolloutDecisionEndpoint.routes(
                desk, new Listings(), token(settings), new RequestBody(100_000), metrics),
            new WebAccess("127.0.0.1"),
            metrics);
    api = new Api(http.port());
    return http;
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "Bearer",
        "Bearer ",
        "Bearer a-secre",
        "Bearer a-secrets",
        "Bearer A-SECRET",
        "Basic a-secret",
        "a-secret",
        "Bearer a-secret a-secret",
      })
  void whoShowsAnotherTokenOrNoneDecidesNothing(String authorization) throws Exception {
    long before = appended();
    Api.Reply reply =
        decide("pin", "{\"domain\":\"films\"}", authorization.isEmpty() ? null : authorization);

    assertThat(reply.status()).isEqualTo(401);
    assertThat(reply.response().headers().firstValue("WWW-Authenticate")).contains("Bearer");
    assertThat(appended()).isEqualTo(before);
  }

  @Test
  void theTokenMayStandInAFile() throws Exception {
    Path file = Files.writeString(directory.resolve("token"), "of-a-file\n");
    BearerToken token = token(settings("serving.rolloutTokenFile=" + file)).orElseThrow();

    assertThat(token.isShownBy("bearer of-a-file")).isTrue();
    assertThat(token.isShownBy("Bearer " + TOKEN)).isFalse();
    assertThat(token.isShownBy(null)).isFalse();
  }

  @Test
  void aTokenThatIsNoneIsTheUsersMistakeInOneLine() throws Exception {
    Path file = Files.writeString(directory.resolve("token"), " \n");

    assertThatThrownBy(() -> token(settings("serving.rolloutTokenFile=" + file)))
        .isInstanceOf(UsageException.class)
        .hasMessage("serving.rolloutTokenFile: " + file + " does not hold one line, the token");
    assertThatThrownBy(() -> token(settings("serving.rolloutTokenFile=/no/such")))
        .hasMessage("serving.rolloutTokenFile: /no/such cannot be read: there is no such file");
    assertThatThrownBy(
            () -> token(settings("serving.rolloutTokenFile=" + file, "serving.rolloutToken=x")))
        .hasMessageContaining("both set");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "canary | {\"domain\":\"films\",\"version\":9} | 400 | domain films: there is no version 9: there are 5, from 1 to 5",
        "canary | {\"domain\":\"films\",\"version\":4,\"share\":2} | 400 | domain films: a share is above 0 and at most 1 (0.1 is a tenth), not 2.0",
        "canary | {\"domain\":\"films\",\"version\":4,\"share\":0} | 400 | domain films: a share is above 0 and at most 1 (0.1 is a tenth), not 0.0",
        "canary | {\"domain\":\"films\",\"version\":4,\"share\":\"200%\"} | 400 | \"share\" is not a number",
        "canary | {\"domain\":\"films\",\"version\":4,\"share\":1e999} | 400 | domain films: a share is above 0 and at most 1 (0.1 is a tenth), not Infinity",
        "canary | {\"domain\":\"films\",\"version\":5} | 400 | domain films: version 5 is the stable one already; a canary needs another",
        "canary | {\"domain\":\"books\",\"version\":4} | 404 | unknown domain",
        "promote | {\"domain\":\"films\",\"version\":5} | 400 | domain films: version 5 is the stable one already",
        "promote | {\"domain\":\"films\",\"version\":1.5} | 400 | \"version\" is not a whole number",
        "promote | {\"domain\":\"films\",\"version\":99999999999999999999} | 400 | \"version\" is not a whole number",
        "rollback | {\"domain\":\"films\",\"version\":0} | 400 | domain films: there is no version 0: there are 5, from 1 to 5",
        "rollback | {\"domain\":\"films\",\"version\":-1} | 400 | domain films: there is no version -1: there are 5, from 1 to 5",
        "pin | {\"version\":1} | 400 | \"domain\" is missing",
        "pin | [] | 400 | the body must be a JSON object with the string domain",
        "policy | {\"domain\":\"films\"} | 400 | \"policy\" is missing",
        "policy | {\"domain\":\"films\",\"policy\":\"pinned\"} | 400 | \"policy\" is none of latest, canary and manual; to pin a version, use pin",
        "policy | {\"domain\":\"films\",\"policy\":\"latest\"} | 400 | domain films: the policy is latest already",
        "pin | {\"domain\":\"films\",\"revision\":3} | 409 | nothing changed: revision 3 is not the current one; that is 0, nothing was decided yet",
      })
  void whatCannotBeDecidedIsRefusedInOneLineAndNotWritten(
      String action, String body, int status, String error) throws Exception {
    long before = appended();
    JsonNode state = films();
    Api.Reply reply = decide(action, body);

    assertThat(reply.error()).isEqualTo(error.replace("films", domain));
    assertThat(reply.status()).isEqualTo(status);
    assertThat(appended()).isEqualTo(before);
    assertThat(films()).isEqualTo(state);
  }

  @Test
  void aVersionThatWasPrunedIsNoneAnyMore() throws Exception {
    publisher.publish(domain, 1, null);
    Await.until("it is gone", () -> api.domain(domain).get("versions").size() == 4);
    long before = appended();

    Api.Reply reply = decide("pin", "{\"domain\":\"films\",\"version\":1}");

    assertThat(reply.status()).isEqualTo(400);
    assertThat(reply.error()).contains("there is no version 1 any more: there are 4, from 2 to 5");
    assertThat(appended()).isEqualTo(before);
  }

  @Test
  void whateverIsAskedForTheStateIsWhatWasAnsweredLast() throws Exception {
    Random random = new Random(11);
    List<String> versions = List.of("1", "2", "3", "4", "5", "6", "0", "-3", "\"2\"", "1e9");
    List<String> shares = List.of("0.1", "1", "2", "0", "-0.5", "\"10%\"", "1e-300", "NaN");
    List<String> policies = List.of("latest", "canary", "manual", "pinned", "x");
    List<String> tokens = List.of(TOKEN, TOKEN, TOKEN, TOKEN, TOKEN, "wrong", "");
    JsonNode state = films();
    long logged = appended();
    int decided = 0;
    for (int i = 0; i < 300; i++) {
      RolloutRequest.Action action =
          RolloutRequest.Action.values()[random.nextInt(RolloutRequest.Action.values().length)];
      StringBuilder body = new StringBuilder("{\"domain\":\"");
      body.append(random.nextInt(10) == 0 ? "no" : "").append("films\"");
      field(body, random, "version", versions);
      field(body, random, "share", shares);
      field(body, random, "revision", List.of(state.get("revision").asText(), "0", "99"));
      if (random.nextBoolean()) {
        body.append(",\"policy\":\"").append(any(random, policies)).append('"');
      }
      body.append(random.nextInt(20) == 0 ? "" : "}");

      Api.Reply reply = decide(action.word(), body.toString(), "Bearer " + any(random, tokens));

      assertThat(reply.status()).as("%s %s", action, body).isIn(200, 400, 401, 404, 409);
      if (reply.status() == 200) {
        decided++;
        assertThat(reply.body().get("revision").asLong())
            .isEqualTo(state.get("revision").asLong() + 1);
        state = reply.body();
      } else {
        assertThat(reply.error()).isNotBlank().doesNotContain("\n");
      }
      assertThat(films()).as("%s %s", action, body).isEqualTo(state);
      assertThat(appended()).isEqualTo(logged + decided);
    }
    assertThat(decided).isBetween(20, 200);
    long stable = state.get("stable").get("version").asLong();
    boolean tried = !state.get("candidate").isNull();
    long version = api.predict(domain, "x").body().get("version").asLong();
    assertThat(tried || version == stable).isTrue();
  }

  private static void field(StringBuilder body, Random random, String name, List<String> values) {
    if (random.nextInt(3) == 0) {
      body.append(",\"").append(name).append("\":").append(any(random, values));
    }
  }

  private static String any(Random random, List<String> values) {
    return values.get(random.nextInt(values.size()));
  }

  @Test
  void onARevisionThatIsOldNothingIsDecided() throws Exception {
    assertThat(
            decide(
                    "pin",
                    "{\"domain\":\"films\",\"version\":2,\"author\":\"alice\",\"revision\":0}")
                .status())
        .isEqualTo(200);

    long before = appended();
    Api.Reply stale = decide("rollback", "{\"domain\":\"films\",\"version\":1,\"revision\":0}");

    assertThat(stale.status()).isEqualTo(409);
    assertThat(stale.error())
        .isEqualTo(
            "nothing changed: revision 0 is not the current one; revision 1 is pin 2 by alice");
    assertThat(appended()).isEqualTo(before);
  }

  @Test
  void ofTwoWhoDecideAtOnceExactlyOneWins() throws Exception {
    ExecutorService people = Executors.newFixedThreadPool(2);
    Random random = new Random(1);
    for (int round = 0; round < 20; round++) {
      long revision = films().get("revision").asLong();
      long stable = films().path("stable").path("version").asLong(5);
      long promoted = 1 + (stable + random.nextInt(4)) % 5;
      long back = 1 + (stable + random.nextInt(4)) % 5;
      String body = "{\"domain\":\"films\",\"version\":%d,\"revision\":%d}";
      Future<Api.Reply> promote =
          people.submit(() -> decide("promote", body.formatted(promoted, revision)));
      Future<Api.Reply> rollback =
          people.submit(() -> decide("rollback", body.formatted(back, revision)));

      List<Integer> statuses = List.of(promote.get().status(), rollback.get().status());
      assertThat(statuses).containsExactlyInAnyOrder(200, 409);
      Api.Reply lost = statuses.get(0) == 409 ? promote.get() : rollback.get();
      assertThat(lost.error()).startsWith("nothing changed: revision " + revision + " is not");
      assertThat(films().get("revision").asLong()).isEqualTo(revision + 1);
      assertThat(films().get("stable").get("version").asLong())
          .isEqualTo(statuses.get(0) == 200 ? promoted : back);
    }
    people.shutdown();
  }

  @Test
  void aProcessThatHasNotReadTheLogToItsEndDecidesNothing(@TempDir Path data) throws Exception {
    Settings away =
        settings("serving.rolloutToken=" + TOKEN, "kafka.bootstrap.servers=127.0.0.1:1");
    try (ServingProcess alone = ServingProcess.listen(away, data, 0, notice -> {})) {
      alone.load((model, done, total) -> {});
      api = new Api(alone.port());

      Api.Reply reply = decide("pin", "{\"domain\":\"films\"}");

      assertThat(reply.status()).isEqualTo(503);
      assertThat(reply.response().headers().firstValue("Retry-After")).isPresent();
      assertThat(reply.error()).contains("has not read the log to its end");
    }
  }

  @Test
  void whereTheRegistryDoesNotAnswerItIs503() throws Exception {
    HttpService other = listen(settings("serving.rolloutToken=" + TOKEN));
    registry.setFailing(true);
    try {
      assertThat(decide("pin", "{\"domain\":\"films\"}").status()).isEqualTo(503);
    } finally {
      registry.setFailing(false);
    }
    other.stop(Duration.ZERO);
  }

  @Test
  void aDecisionThatDoesNotComeBackIs503AndWhetherItCountsIsSeenLater() throws Exception {
    HttpService other = listen(settings("serving.rolloutToken=" + TOKEN));

    Api.Reply reply = decide("pin", "{\"domain\":\"films\",\"version\":2}");

    assertThat(reply.status()).isEqualTo(503);
    assertThat(reply.error()).contains("whether the decision counts is not known");
    other.stop(Duration.ZERO);
    api = new Api(process.port());
    Await.until("it counts", () -> films().get("policy").asText().equals("pinned"));
  }
}
