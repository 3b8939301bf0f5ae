package io.millrace.inference.http;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.millrace.client.rollout.RolloutKind;
import io.millrace.client.settings.Settings;
import io.millrace.inference.ServingProcess;
import io.millrace.inference.ServingSettings;
import io.millrace.inference.TestAdapters;
import io.millrace.inference.TestDecisions;
import io.millrace.inference.store.AdapterStore;
import io.millrace.inference.store.LoggedEvent;
import io.millrace.inference.store.StreamOffset;
import io.millrace.schemas.AdapterVersion;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Lists over a store with more than fits on a page; no Kafka anywhere. */
@Tag("integration")
class PagesTest {
  private static final int VERSIONS = 250;
  private static final int DOMAINS = 230;

  @TempDir static Path directory;
  private static ServingProcess process;
  private static Api api;

  @BeforeAll
  static void start() throws Exception {
    AdapterVersion any = TestAdapters.version("films", 1, null);
    try (AdapterStore store = AdapterStore.open(directory.resolve("adapters"))) {
      for (int number = 1; number <= VERSIONS; number++) {
        put(store, any, "films", number, number);
      }
      for (int number = 1; number <= DOMAINS; number++) {
        put(store, any, "shop-%03d".formatted(number), 1, VERSIONS + number);
      }
    }
    Settings settings =
        Settings.of(
            ServingSettings.ALL,
            null,
            List.of("model.store=" + TestAdapters.models(), "kafka.bootstrap.servers=127.0.0.1:1"));
    process = ServingProcess.listen(settings, directory, 0, notice -> {});
    process.load((model, done, total) -> {});
    api = new Api(process.port());
  }

  private static void put(
      AdapterStore store, AdapterVersion any, String domain, long number, long offset) {
    AdapterVersion version =
        AdapterVersion.newBuilder(any)
            .setDomain(domain)
            .setVersion(number)
            .setPayload(ByteBuffer.allocate(0))
            .build();
    store.put(version, new StreamOffset(0, offset));
    store.putRolloutEvents(
        RolloutKind.PUBLICATIONS,
        List.of(
            new LoggedEvent(
                0, offset, Instant.ofEpochMilli(offset), TestDecisions.published(version))),
        Map.of(0, offset + 1));
  }

  @AfterAll
  static void stop() {
    process.close();
  }

  @ParameterizedTest
  @ValueSource(strings = {"/v1/adapters", "/v1/rollouts"})
  void pagesLeadThroughAllDomainsOnceInTheOrderOfTheirNames(String path) throws Exception {
    List<String> names = new ArrayList<>();
    JsonNode page = get(path);
    assertThat(page.get("domains")).hasSize(100);
    while (true) {
      page.get("domains").forEach(domain -> names.add(domain.get("domain").asText()));
      if (page.get("next").isNull()) {
        break;
      }
      page = get(path + "?limit=70&after=" + page.get("next").asText());
    }

    assertThat(names).hasSize(1 + DOMAINS).isSorted().doesNotHaveDuplicates();
  }

  @ParameterizedTest
  @ValueSource(strings = {"/v1/adapters", "/v1/rollouts"})
  void aPrefixChoosesDomains(String path) throws Exception {
    assertThat(names(get(path + "?prefix=shop-00&limit=4")))
        .containsExactly("shop-001", "shop-002", "shop-003", "shop-004");
    JsonNode last = get(path + "?prefix=shop-00&after=shop-008");
    assertThat(names(last)).containsExactly("shop-009");
    assertThat(last.get("next").isNull()).isTrue();
    assertThat(names(get(path + "?prefix=s&after=a&limit=1"))).containsExactly("shop-001");
    assertThat(names(get(path + "?prefix=x"))).isEmpty();
    assertThat(names(get(path + "?domain=shop-0"))).isEmpty();
    assertThat(names(get(path + "?domain=shop-017"))).containsExactly("shop-017");
  }

  @Test
  void ofADomainTheLatestVersionsAreShownAndEarlierOnesOnDemand() throws Exception {
    JsonNode films = get("/v1/adapters?domain=films&versions=60").get("domains").get(0);
    List<Long> numbers = new ArrayList<>(numbers(films));
    assertThat(numbers).hasSize(60).endsWith((long) VERSIONS).isSorted();

    while (!films.get("versionsBefore").isNull()) {
      long before = films.get("versionsBefore").asLong();
      films = get("/v1/adapters?domain=films&versions=60&before=" + before).get("domains").get(0);
      numbers.addAll(0, numbers(films));
    }

    assertThat(numbers)
        .containsExactlyElementsOf(LongStream.rangeClosed(1, VERSIONS).boxed().toList());
    assertThat(get("/v1/adapters?versions=0&limit=1").get("domains").get(0).get("versions"))
        .isEmpty();
  }

  @Test
  void aHistoryIsReadForwardAndBackward() throws Exception {
    JsonNode page = get("/v1/rollouts/history?domain=films&limit=60");
    assertThat(offsets(page)).hasSize(60).endsWith((long) VERSIONS);
    assertThat(page.get("later").isNull()).isTrue();
    List<Long> back = new ArrayList<>(offsets(page));
    while (!page.get("earlier").isNull()) {
      page =
          get("/v1/rollouts/history?domain=films&limit=60&before=" + page.get("earlier").asText());
      back.addAll(0, offsets(page));
    }
    assertThat(page.get("rollout").get("newest").get("version").asLong()).isEqualTo(10);

    page = get("/v1/rollouts/history?domain=films&limit=70&after=0-0");
    List<Long> forward = new ArrayList<>(offsets(page));
    assertThat(page.get("rollout").get("newest").get("version").asLong()).isEqualTo(70);
    while (!page.get("later").isNull()) {
      page = get("/v1/rollouts/history?domain=films&limit=70&after=" + page.get("later").asText());
      forward.addAll(offsets(page));
    }

    assertThat(forward)
        .isEqualTo(back)
        .containsExactlyElementsOf(LongStream.rangeClosed(1, VERSIONS).boxed().toList());
    assertThat(get("/v1/rollouts/history?domain=shop-230").get("events")).hasSize(1);
    assertThat(
            offsets(
                get("/v1/rollouts/history?domain=films&limit=2&at=" + Instant.ofEpochMilli(100))))
        .containsExactly(99L, 100L);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "/v1/adapters?limt=3 | unknown query parameter \"limt\"; this path takes after, before, domain, limit, prefix, versions",
        "/v1/rollouts?versions=3 | unknown query parameter \"versions\"; this path takes after, domain, limit, prefix",
        "/v1/rollouts/history?domain=films&form=json | unknown query parameter \"form\"",
        "/health/ready?x | unknown query parameter \"x\"; this path takes none",
        "/health/live?verbose=1 | unknown query parameter \"verbose\"",
        "/metrics?name=x | unknown query parameter \"name\"",
        "/openapi.yaml?v=1 | unknown query parameter \"v\"",
        "/v1/rollouts?limit=3&limit=4 | the query parameter \"limit\" occurs twice",
        "/v1/rollouts?limit=0 | \"limit\" is no whole number from 1 to 1000",
        "/v1/adapters?versions=1001 | \"versions\" is no whole number from 0 to 1000",
        "/v1/adapters?before=3 | \"before\" is about one domain",
        "/v1/adapters?domain=films&before=x | \"before\" is no version's number",
        "/v1/adapters?domain=films&prefix=f | \"domain\" asks for one domain",
        "/v1/rollouts/history?domain=films&after=7 | \"after\" is no place",
        "/v1/rollouts/history?domain=films&after=0-1&before=0-2 | exclude each other",
      })
  void whatAQueryDoesNotTakeIsRefusedByName(String path, String error) throws Exception {
    Api.Reply reply = api.get(path);

    assertThat(reply.status()).isEqualTo(400);
    assertThat(reply.error()).contains(error);
  }

  @Test
  void endpointsWithABodyTakeNoQuery() throws Exception {
    byte[] body = "{\"domain\":\"films\",\"text\":\"x\"}".getBytes();

    for (String path : List.of("/v1/predict", "/v1/feedback")) {
      Api.Reply reply = api.post(path + "?domain=films", body);
      assertThat(reply.status()).isEqualTo(400);
      assertThat(reply.error()).contains("unknown query parameter \"domain\"");
    }
  }

  private static JsonNode get(String path) throws Exception {
    Api.Reply reply = api.get(path);
    assertThat(reply.status()).as(path).isEqualTo(200);
    return reply.body();
  }

  private static List<String> names(JsonNode page) {
    List<String> names = new ArrayList<>();
    page.get("domains").forEach(domain -> names.add(domain.get("domain").asText()));
    return names;
  }

  private static List<Long> numbers(JsonNode domain) {
    List<Long> numbers = new ArrayList<>();
    domain.get("versions").forEach(version -> numbers.add(version.get("version").asLong()));
    return numbers;
  }

  private static List<Long> offsets(JsonNode page) {
    List<Long> offsets = new ArrayList<>();
    page.get("events").forEach(event -> offsets.add(event.get("offset").asLong()));
    return offsets;
  }
}
