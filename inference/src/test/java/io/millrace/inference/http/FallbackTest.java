package io.millrace.inference.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import com.fasterxml.jackson.databind.JsonNode;
import io.millrace.client.settings.Settings;
import io.millrace.inference.ServingProcess;
import io.millrace.inference.ServingSettings;
import io.millrace.inference.TestAdapters;
import io.millrace.inference.metrics.Scrape;
import io.millrace.inference.store.AdapterStore;
import io.millrace.inference.store.StreamOffset;
import io.millrace.schemas.AdapterVersion;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Who answers for a domain without an adapter. */
@Tag("integration")
class FallbackTest {
  private static final String TEXT = "a fine film";
  private static final AdapterVersion SHOP = TestAdapters.version("shop", 3, null);
  private static final AdapterVersion EUROPE = TestAdapters.version("shop/eu", 5, null);

  @TempDir static Path directory;
  private static ServingProcess process;
  private static Api api;

  @BeforeAll
  static void start() throws Exception {
    try (AdapterStore store = AdapterStore.open(directory.resolve("adapters"))) {
      store.put(SHOP, new StreamOffset(0, 1));
      store.put(EUROPE, new StreamOffset(0, 2));
      store.put(TestAdapters.misfit("shop/broken", 1), new StreamOffset(0, 3));
    }
    process = process(directory);
    api = new Api(process.port());
  }

  private static ServingProcess process(Path data, String... more) throws Exception {
    List<String> sets =
        new ArrayList<>(
            List.of("model.store=" + TestAdapters.models(), "kafka.bootstrap.servers=127.0.0.1:1"));
    sets.addAll(List.of(more));
    Settings settings = Settings.of(ServingSettings.ALL, null, sets);
    ServingProcess started = ServingProcess.listen(settings, data, 0, notice -> {});
    started.load((model, done, total) -> {});
    return started;
  }

  @AfterAll
  static void stop() {
    process.close();
  }

  @Test
  void anAdapterOfItsOwnAnswersForADomain() throws Exception {
    JsonNode answer = api.predict("shop/eu", TEXT).body();

    assertThat(answer.get("servedBy").asText()).isEqualTo("domain");
    assertThat(answer.get("servedDomain").asText()).isEqualTo("shop/eu");
    assertThat(answer.get("sha256").asText()).isEqualTo(EUROPE.getSha256());
  }

  @ParameterizedTest
  @CsvSource({
    "shop/eu/berlin, shop/eu",
    "shop/eu/berlin/mitte, shop/eu",
    "shop/us, shop",
    "shop/, shop",
    "shop//eu, shop",
    "shop//, shop",
    "shop/eu/, shop/eu",
  })
  void theNearestDomainAboveAnswersForOneWithoutAnAdapter(String asked, String served)
      throws Exception {
    Api.Reply reply = api.predict(asked, TEXT);

    assertThat(reply.status()).isEqualTo(200);
    JsonNode answer = reply.body();
    AdapterVersion version = served.equals("shop") ? SHOP : EUROPE;
    assertThat(answer.get("domain").asText()).isEqualTo(asked);
    assertThat(answer.get("servedBy").asText()).isEqualTo("parent");
    assertThat(answer.get("servedDomain").asText()).isEqualTo(served);
    assertThat(answer.get("version").asLong()).isEqualTo(version.getVersion());
    assertThat(answer.get("sha256").asText()).isEqualTo(version.getSha256());
    assertThat(Api.logits(reply, TestAdapters.LABELS))
        .containsExactly(TestAdapters.logits(version, TEXT), offset(TestAdapters.ROUNDING));
  }

  @ParameterizedTest
  @ValueSource(strings = {"nobody", "no/body", "/", "//", "/shop", "//shop/eu", "Shop", "shops"})
  void theBaseModelAnswersWithItsVectorWhereThereIsNoneAbove(String asked) throws Exception {
    Api.Reply reply = api.predict(asked, TEXT);

    assertThat(reply.status()).isEqualTo(200);
    JsonNode answer = reply.body();
    assertThat(answer.get("domain").asText()).isEqualTo(asked);
    assertThat(answer.get("servedBy").asText()).isEqualTo("base");
    for (String field : List.of("servedDomain", "label", "version", "sha256")) {
      assertThat(answer.get(field).isNull()).as(field).isTrue();
    }
    assertThat(answer.get("probabilities")).isEmpty();
    assertThat(answer.get("logits")).isEmpty();
    assertThat(answer.get("requestId").asText()).isNotBlank();
    float[] expected = TestAdapters.embedding(TEXT);
    assertThat(answer.get("embedding")).hasSize(expected.length);
    for (int i = 0; i < expected.length; i++) {
      assertThat(answer.get("embedding").get(i).floatValue())
          .isCloseTo(expected[i], offset(TestAdapters.ROUNDING));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"shop/broken", "shop/broken/part"})
  void anAdapterThatCannotBeLoadedIsAFaultAndNotPassedOver(String asked) throws Exception {
    Api.Reply reply = api.predict(asked, TEXT);

    assertThat(reply.status()).isEqualTo(503);
    assertThat(reply.error()).isEqualTo("no version of domain \"shop/broken\" is loaded");
  }

  @Test
  void anAdapterThatCannotBeLoadedIsTheSameFaultAtItsFirstRequest(@TempDir Path other)
      throws Exception {
    try (AdapterStore store = AdapterStore.open(other.resolve("adapters"))) {
      store.put(TestAdapters.misfit("broken", 1), new StreamOffset(0, 1));
    }
    // Without room none is loaded before it is asked.
    try (ServingProcess cold = process(other, "serving.loadedMemory=0")) {
      Api.Reply reply = new Api(cold.port()).predict("broken/part", TEXT);

      assertThat(reply.status()).isEqualTo(503);
      assertThat(reply.error()).isEqualTo("no version of domain \"broken\" is loaded");
    }
  }

  @Test
  void whoAnsweredIsCountedInThreeSeriesWhateverIsAsked() throws Exception {
    Scrape before = Scrape.of(process.port());
    api.predict("shop/eu", TEXT);
    api.predict("shop/1", TEXT);
    api.predict("shop/2", TEXT);
    for (int i = 0; i < 5; i++) {
      api.predict("nobody-" + i, TEXT);
    }

    Scrape after = Scrape.of(process.port());
    assertThat(grown(before, after, "domain")).isEqualTo(1);
    assertThat(grown(before, after, "parent")).isEqualTo(2);
    assertThat(grown(before, after, "base")).isEqualTo(5);
    assertThat(after.samples().keySet()).noneMatch(series -> series.contains("nobody"));
    assertThat(after.value("millrace_domains")).isEqualTo(3);
  }

  private static double grown(Scrape before, Scrape after, String servedBy) {
    String series = "millrace_predictions_total{by=\"" + servedBy + "\"}";
    return after.value(series) - before.samples().getOrDefault(series, 0.0);
  }

  @Test
  void aNameLongerThanADomainCanBeIs400() throws Exception {
    assertThat(api.predict("shop/" + "x".repeat(4096 - 5), TEXT).status()).isEqualTo(200);
    Api.Reply reply = api.predict("shop/" + "x".repeat(4096 - 4), TEXT);

    assertThat(reply.status()).isEqualTo(400);
    assertThat(reply.error()).contains("\"domain\" is longer than the 4096 bytes");
  }

  @Test
  void turnedOffOnlyTheDomainItselfAnswers(@TempDir Path other) throws Exception {
    try (AdapterStore store = AdapterStore.open(other.resolve("adapters"))) {
      store.put(SHOP, new StreamOffset(0, 1));
    }
    try (ServingProcess strict = process(other, "serving.fallback=none")) {
      Api client = new Api(strict.port());

      assertThat(client.predict("shop", TEXT).status()).isEqualTo(200);
      Api.Reply reply = client.predict("shop/eu", TEXT);
      assertThat(reply.status()).isEqualTo(404);
      assertThat(reply.error()).isEqualTo("unknown domain \"shop/eu\"");
    }
  }
}
