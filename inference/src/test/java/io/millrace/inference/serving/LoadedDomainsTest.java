package io.millrace.inference.serving;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.client.rollout.RolloutKind;
import io.millrace.inference.TestAdapters;
import io.millrace.inference.TestDecisions;
import io.millrace.inference.log.AdapterIntake;
import io.millrace.inference.metrics.Scrape;
import io.millrace.inference.metrics.ServingMetrics;
import io.millrace.inference.store.AdapterStore;
import io.millrace.inference.store.LoggedEvent;
import io.millrace.inference.store.StreamOffset;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.Topics;
import io.millrace.schemas.VersionRef;
import io.millrace.testing.Await;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("integration")
class LoadedDomainsTest {
  private static final ServingMetrics METRICS = new ServingMetrics();
  private static final String TEXT = "a fine film";

  @TempDir Path directory;
  private AdapterStore store;
  private AdapterCatalog catalog;
  private long next;

  @BeforeEach
  void open() {
    store = AdapterStore.open(directory);
  }

  @AfterEach
  void close() {
    catalog.close();
    store.close();
  }

  @Test
  void aStartLoadsNoneAndEachIsLoadedWhenItIsAsked() {
    List.of("a", "b", "c").forEach(this::put);

    double before = loadsMeasured();
    load(Long.MAX_VALUE);

    assertThat(catalog.domains().keySet()).containsExactly("a", "b", "c");
    assertThat(catalog.loads()).isZero();
    assertThat(ask("b")).isEqualTo(TestAdapters.logits(version("b"), TEXT));
    assertThat(ask("b")).isEqualTo(TestAdapters.logits(version("b"), TEXT));
    assertThat(catalog.loads()).isEqualTo(1);
    assertThat(loadsMeasured() - before).isEqualTo(1);
    assertThat(domain("a").isLoaded()).isFalse();
  }

  @Test
  void ofMoreThanThereIsRoomForTheOneAskedLeastRecentlyIsUnloaded() throws Exception {
    List.of("a", "b", "c").forEach(this::put);
    load(2 * bytesOfOne());
    ask("a");
    ask("b");
    ask("a");
    LiveAdapter request = domain("b").acquire("a key");
    ask("a");

    ask("c");

    Await.until("one is unloaded", () -> catalog.loadedDomains() == 2);
    assertThat(domain("b").isLoaded()).isFalse();
    assertThat(catalog.loadedBytes()).isEqualTo(2 * bytesOfOne());
    // Its request goes on, and the next one loads it again.
    assertThat(request.classifier().logits(List.of(TEXT))[0])
        .isEqualTo(TestAdapters.logits(version("b"), TEXT));
    request.release();
    assertThat(request.retain()).isFalse();
    assertThat(ask("b")).isEqualTo(TestAdapters.logits(version("b"), TEXT));
  }

  @Test
  void oneThatIsLargerThanTheRoomIsServedAlone() throws Exception {
    List.of("a", "b").forEach(this::put);
    load(1);

    assertThat(ask("a")).isEqualTo(TestAdapters.logits(version("a"), TEXT));
    assertThat(ask("b")).isEqualTo(TestAdapters.logits(version("b"), TEXT));

    Await.until("one is unloaded", () -> catalog.loadedDomains() == 1);
    assertThat(domain("b").isLoaded()).isTrue();
  }

  @Test
  void whatComesWhileItIsUnloadedServesAtItsNextRequest() throws Exception {
    put("a");
    load(0);
    AdapterVersion second = TestAdapters.version("a", 2, version("a").getSha256());
    AdapterIntake intake = new AdapterIntake(store, catalog);
    intake.record(Topics.adapterKey("a", 2), second, new StreamOffset(0, ++next), Instant.EPOCH);
    intake.flush();
    assertThat(domain("a").isLoaded()).isFalse();
    assertThat(domain("a").stable().map(VersionRef::getVersion)).contains(2L);

    TestDecisions.Decision pin = decisions -> decisions.pin(1L);
    catalog
        .rollouts()
        .add(
            RolloutKind.DECISIONS,
            List.of(
                new LoggedEvent(
                    0,
                    ++next,
                    Instant.EPOCH,
                    pin.make(
                        new io.millrace.schemas.rollout.RolloutDecisions(
                            catalog.rollouts().of("a"), catalog.versions("a"), "ann", "")))),
            Map.of(0, next + 1));
    catalog.settle("a");

    assertThat(domain("a").stable().map(VersionRef::getVersion)).contains(1L);
    assertThat(ask("a")).isEqualTo(TestAdapters.logits(version("a"), TEXT));
  }

  @Test
  void theFirstDomainsAreLoadedInTheBackgroundWhileThereIsRoom() throws Exception {
    List.of("a", "b", "c").forEach(this::put);
    load(bytesOfOne() + 1);

    catalog.startWarmUp(() -> true);

    Await.until("two are loaded", () -> catalog.loads() == 2);
    assertThat(domain("c").isLoaded()).isFalse();
  }

  private static double loadsMeasured() {
    return Scrape.count(METRICS, "millrace_domain_load_seconds");
  }

  private void load(long maxBytes) {
    catalog = new AdapterCatalog(store, new Merger(0, METRICS), maxBytes, METRICS);
    catalog.load(new AdapterLoader(store, TestAdapters.base()));
  }

  private void put(String domain) {
    store.put(version(domain), new StreamOffset(0, ++next));
  }

  private static AdapterVersion version(String domain) {
    return TestAdapters.version(domain, 1, null);
  }

  /** As a request: loads the domain where it is not loaded. */
  private float[] ask(String name) {
    LiveAdapter version = domain(name).acquire("a key");
    if (version == null) {
      domain(name).startLoading().join();
      version = domain(name).acquire("a key");
    }
    float[] logits = version.classifier().logits(List.of(TEXT))[0];
    version.release();
    return logits;
  }

  private long bytesOfOne() {
    try (AdapterStore other = AdapterStore.open(directory.resolve("other"));
        AdapterCatalog alone = new AdapterCatalog(other, new Merger(0, METRICS), METRICS)) {
      other.put(version("a"), new StreamOffset(0, 1));
      alone.load(new AdapterLoader(other, TestAdapters.base()));
      alone.find("a").orElseThrow().startLoading().join();
      return alone.loadedBytes();
    }
  }

  private ServedDomain domain(String name) {
    return catalog.find(name).orElseThrow();
  }
}
