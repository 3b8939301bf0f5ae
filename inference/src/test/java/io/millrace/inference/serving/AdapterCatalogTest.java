package io.millrace.inference.serving;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.client.rollout.RolloutKind;
import io.millrace.inference.TestAdapters;
import io.millrace.inference.TestDecisions;
import io.millrace.inference.log.AdapterIntake;
import io.millrace.inference.metrics.ServingMetrics;
import io.millrace.inference.store.AdapterStore;
import io.millrace.inference.store.LoggedEvent;
import io.millrace.inference.store.Refusal;
import io.millrace.inference.store.StoredVersion;
import io.millrace.inference.store.StreamOffset;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.Topics;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("unit")
class AdapterCatalogTest {
  private static final ServingMetrics METRICS = new ServingMetrics();
  private static final String TEXT = "a fine film";
  private static final List<AdapterVersion> CHAIN = TestAdapters.chain("films", 3);

  @TempDir Path directory;
  private AdapterStore store;
  private AdapterCatalog catalog;
  private AdapterIntake intake;
  private long next;

  @BeforeEach
  void open() {
    store = AdapterStore.open(directory);
    catalog = new AdapterCatalog(store, new Merger(0, METRICS), METRICS);
    catalog.load(new AdapterLoader(store, TestAdapters.base()));
    intake = new AdapterIntake(store, catalog);
  }

  @AfterEach
  void close() {
    catalog.close();
    store.close();
  }

  @Test
  void theNewestVersionServesWhateverTheOrderOfArrival() {
    arrive(CHAIN.get(1));
    assertThat(serving()).isEqualTo(2);
    arrive(CHAIN.get(0));
    assertThat(serving()).isEqualTo(2);
    arrive(CHAIN.get(2));
    assertThat(serving()).isEqualTo(3);
  }

  @Test
  void aVersionThatFitsNoModelHereIsKeptAndTheLastGoodOneServes() {
    arrive(CHAIN.get(0));
    arrive(TestAdapters.misfit("films", 2));

    assertThat(serving()).isEqualTo(1);
    assertThat(versions()).hasSize(2);
    assertThat(refusals())
        .singleElement()
        .satisfies(refusal -> assertThat(refusal.version()).isEqualTo(2))
        .satisfies(
            refusal ->
                assertThat(refusal.reason())
                    .contains("0".repeat(64))
                    .contains(TestAdapters.base().basisSha256()));
  }

  @Test
  void aCorruptedPayloadIsNotKeptAndTheLastGoodOneServes() {
    arrive(CHAIN.get(0));
    arrive(corrupted(CHAIN.get(1)));

    assertThat(serving()).isEqualTo(1);
    assertThat(versions()).hasSize(1);
    assertThat(refusals())
        .singleElement()
        .satisfies(refusal -> assertThat(refusal.reason()).contains("its payload hashes to"));

    arrive(CHAIN.get(1));

    assertThat(serving()).isEqualTo(2);
    assertThat(refusals()).isEmpty();
  }

  @Test
  void aVersionUnderAnothersNameIsRefused() {
    arrive(CHAIN.get(0));
    AdapterVersion renamed = AdapterVersion.newBuilder(CHAIN.get(1)).setVersion(7).build();
    arrive(renamed);

    assertThat(serving()).isEqualTo(1);
    assertThat(refusals())
        .singleElement()
        .satisfies(
            refusal ->
                assertThat(refusal.reason())
                    .isEqualTo("version is 7 in the record and 2 in the payload"));
  }

  @Test
  void whenTheServingVersionIsPrunedTheOneBeforeServes() {
    CHAIN.forEach(this::arrive);

    prune(3);
    assertThat(serving()).isEqualTo(2);
    prune(1);
    prune(2);
    assertThat(catalog.find("films")).isEmpty();
  }

  @Test
  void aSwapClosesTheOldVersionOnlyAfterItsLastRequest() {
    arrive(CHAIN.get(0));
    LiveAdapter request = films().acquire("a key");
    arrive(CHAIN.get(1));

    float[][] logits = request.classifier().logits(List.of(TEXT));

    assertThat(logits[0]).isEqualTo(TestAdapters.logits(CHAIN.get(0), TEXT));
    request.release();
    assertThat(request.retain()).isFalse();
  }

  @Test
  void eachVersionThatTheLogNamedServesThoughTheyComeTogetherAndAfterTheirEvents() {
    for (AdapterVersion version : CHAIN) {
      LoggedEvent logged =
          new LoggedEvent(0, ++next, Instant.EPOCH, TestDecisions.published(version));
      catalog.rollouts().add(RolloutKind.PUBLICATIONS, List.of(logged), Map.of(0, next + 1));
      catalog.settle("films");
    }
    for (AdapterVersion version : CHAIN) {
      byte[] key = Topics.adapterKey(version.getDomain(), version.getVersion());
      intake.record(key, version, new StreamOffset(0, ++next), Instant.EPOCH);
    }
    intake.flush();

    assertThat(serving()).isEqualTo(3);
    assertThat(firstLiveAt(1)).isPresent();
    assertThat(firstLiveAt(2)).isPresent();
  }

  @Test
  void aReopenedStoreServesTheNewestThatFitsOnceItIsAsked() {
    CHAIN.forEach(this::arrive);
    arrive(TestAdapters.misfit("films", 4));
    arrive(corrupted(TestAdapters.version("films", 5, null)));
    close();
    open();

    assertThat(films().serving()).isEmpty();
    assertThat(films().expected().orElseThrow().stable().version()).isEqualTo(4);
    films().startLoading().join();

    assertThat(serving()).isEqualTo(3);
    assertThat(refusals()).extracting(Refusal::version).containsExactly(4L, 5L);
    assertThat(firstLiveAt(3)).isPresent();
    assertThat(firstLiveAt(2)).isEmpty();
  }

  private void arrive(AdapterVersion version) {
    byte[] key = Topics.adapterKey(version.getDomain(), version.getVersion());
    intake.record(key, version, new StreamOffset(0, ++next), Instant.EPOCH);
    intake.flush();
  }

  private void prune(long version) {
    byte[] key = Topics.adapterKey("films", version);
    intake.record(key, null, new StreamOffset(0, ++next), Instant.EPOCH);
    intake.flush();
  }

  private List<StoredVersion> versions() {
    return films().versionsBefore(Long.MAX_VALUE, 100);
  }

  private List<Refusal> refusals() {
    return films().refusalsBefore(Long.MAX_VALUE, 100);
  }

  private Optional<Instant> firstLiveAt(long version) {
    return films().firstLiveAt(films().version(version).orElseThrow());
  }

  private ServedDomain films() {
    return catalog.find("films").orElseThrow();
  }

  private long serving() {
    return films().serving().orElseThrow().stable().version().version();
  }

  private static AdapterVersion corrupted(AdapterVersion version) {
    byte[] payload = AdapterStore.payloadOf(version);
    payload[payload.length / 2] ^= 1;
    return AdapterVersion.newBuilder(version).setPayload(ByteBuffer.wrap(payload)).build();
  }
}
