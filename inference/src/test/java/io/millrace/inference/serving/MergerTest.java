package io.millrace.inference.serving;

import static java.lang.Thread.State.WAITING;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

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
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.Topics;
import io.millrace.schemas.VersionRef;
import io.millrace.schemas.rollout.RolloutDecisions;
import io.millrace.testing.Await;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("integration")
class MergerTest {
  private static final String TEXT = "a fine film";
  private static final List<AdapterVersion> CHAIN = TestAdapters.chain("films", 5);

  @TempDir Path directory;
  private final ServingMetrics metrics = new ServingMetrics();
  private AdapterStore store;
  private AdapterCatalog catalog;
  private AdapterIntake intake;
  private AdapterLoader loader;
  private Merger merger;
  private final NavigableMap<Long, VersionRef> published = new TreeMap<>();
  private long next;

  @BeforeEach
  void open() {
    store = AdapterStore.open(directory);
    loader = new AdapterLoader(store, TestAdapters.base());
  }

  /** With room for that many merged versions. */
  private void start(double room) {
    start(room, Duration.ofSeconds(20));
    merger.start(loader, () -> true);
  }

  /** With a merging that is not started yet. */
  private void start(double room, Duration maxWait) {
    merger = new Merger((long) (room * loader.mergedBytes()), maxWait, metrics);
    catalog = new AdapterCatalog(store, merger, metrics);
    catalog.load(loader);
    intake = new AdapterIntake(store, catalog);
  }

  @AfterEach
  void close() {
    assertThat(merger.awaitClosed(Duration.ofSeconds(20))).isTrue();
    catalog.close();
    store.close();
  }

  @Test
  void aDomainThatIsAskedIsMergedAndAnswersTheSame() throws Exception {
    start(1.5);
    arrive(CHAIN.get(0));
    assertThat(isMerged("films")).isFalse();

    ask("films", 50);

    Await.until("it is merged", () -> isMerged("films"));
    LiveAdapter merged = domain("films").acquire("a key");
    assertThat(merged.version().version()).isEqualTo(1);
    assertThat(merged.classifier().logits(List.of(TEXT))[0])
        .containsExactly(TestAdapters.logits(CHAIN.get(0), TEXT), offset(TestAdapters.ROUNDING));
    merged.release();
    assertThat(Scrape.count(metrics, "millrace_merge_seconds")).isEqualTo(1);
    assertThat(domain("films").live().mergedBytes()).isGreaterThan(loader.mergedBytes());
  }

  @Test
  void aRequestKeepsTheFormItBeganWith() throws Exception {
    start(1.5);
    arrive(CHAIN.get(0));
    LiveAdapter before = domain("films").acquire("a key");
    ask("films", 50);
    Await.until("it is merged", () -> isMerged("films"));

    LiveAdapter merged = domain("films").acquire("a key");
    domain("films").live().unmerge();

    assertThat(before.classifier().isMerged()).isFalse();
    assertThat(isMerged("films")).isFalse();
    assertThat(merged.classifier().logits(List.of(TEXT))[0])
        .containsExactly(
            before.classifier().logits(List.of(TEXT))[0], offset(TestAdapters.ROUNDING));
    merged.release();
    before.release();
    assertThat(merged.retain()).isFalse();
  }

  @Test
  void aVersionOfABusyDomainIsMergedBeforeItServes() throws Exception {
    start(1.5);
    arrive(CHAIN.get(0));
    ask("films", 500);
    Await.until("it is merged", () -> isMerged("films"));

    arrive(CHAIN.get(1));
    arrive(CHAIN.get(2));
    long last = 1;
    while (last < 3) {
      Assignment now = domain("films").serving().orElseThrow();
      assertThat(now.stable().classifier().isMerged()).isTrue();
      assertThat(now.stable().version().version()).isGreaterThanOrEqualTo(last);
      last = now.stable().version().version();
    }

    Await.until("both are counted", () -> Scrape.count(metrics, "millrace_swap_seconds") == 2);
    assertThat(hasServed(2)).isTrue();
  }

  @Test
  void aVersionThatIsNotMergedInTimeServesAsItIsAndEachThatCameMeanwhileToo() throws Exception {
    start(1.5, Duration.ofSeconds(2));
    CountDownLatch goesOn = new CountDownLatch(1);
    AtomicBoolean stuck = new AtomicBoolean();
    merger.start(
        loader,
        () -> {
          if (stuck.get()) {
            awaitQuietly(goesOn);
          }
          return true;
        });
    publish(CHAIN.get(0));
    ask("films", 500);
    Await.until("it is merged", () -> isMerged("films"));
    stuck.set(true);

    CHAIN.subList(1, 5).forEach(this::publish);
    assertThat(serving("films")).isEqualTo(1);

    Await.until("the last one serves", () -> serving("films") == 5);
    assertThat(isMerged("films")).isFalse();
    for (AdapterVersion version : CHAIN) {
      assertThat(hasServed(version.getVersion())).isTrue();
    }
    goesOn.countDown();
    Await.until("that is merged in the end", () -> isMerged("films"));
  }

  @Test
  void goingBackWaitsForNoMerging() throws Exception {
    start(1.5);
    arrive(CHAIN.get(0));
    ask("films", 500);
    Await.until("it is merged", () -> isMerged("films"));
    arrive(CHAIN.get(1));
    decide(d -> d.promote(1L));
    decide(d -> d.promote(2L));
    Await.until("version 2 serves, merged", () -> serving("films") == 2 && isMerged("films"));

    decide(d -> d.rollback(null));
    assertThat(serving("films")).isEqualTo(1);
    arrive(CHAIN.get(2));
    decide(d -> d.pin(3L));
    assertThat(serving("films")).isEqualTo(3);
    decide(d -> d.pin(1L));
    assertThat(serving("films")).isEqualTo(1);
    Await.until("version 1 is merged again", () -> isMerged("films"));
    assertThat(domain("films").live().mergedBytes()).isLessThan(2 * loader.mergedBytes());
  }

  @Test
  void aCandidateThatIsAskedIsMergedBesideTheStableVersion() throws Exception {
    start(2.5);
    arrive(CHAIN.get(0));
    arrive(CHAIN.get(1));
    decide(d -> d.promote(1L));
    decide(d -> d.canary(2L, 0.5));
    ask("films", 500);

    Await.until(
        "both are merged",
        () -> {
          Assignment now = domain("films").assigned().orElseThrow();
          return now.stable().classifier().isMerged() && now.candidate().classifier().isMerged();
        });
    assertThat(domain("films").live().mergedBytes()).isGreaterThan(2 * loader.mergedBytes());
  }

  @Test
  void theDomainAskedLessMakesRoomForTheOneAskedMore() throws Exception {
    start(1.5);
    arrive(CHAIN.get(0));
    arrive(TestAdapters.version("books", 1, null));
    ask("films", 50);
    Await.until("films are merged", () -> isMerged("films"));

    ask("books", 500);

    Await.until("books are merged", () -> isMerged("books"));
    assertThat(isMerged("films")).isFalse();
    assertThat(catalog.live().stream().mapToLong(LiveVersions::mergedBytes).sum())
        .isLessThan((long) (1.5 * loader.mergedBytes()));
  }

  /** Of many domains, some share a place in the set of those that were asked. */
  @Test
  void theRequestsOfManyDomainsAreCountedOnce() throws Exception {
    start(0.5);
    List<String> domains = IntStream.range(0, 40).mapToObj(i -> "domain-" + i).toList();
    for (String domain : domains) {
      arrive(TestAdapters.version(domain, 1, null));
    }

    domains.forEach(domain -> ask(domain, 50));

    Await.until(
        "all are noticed",
        Duration.ofSeconds(15),
        () -> domains.stream().allMatch(each -> domain(each).traffic().recent() > 25));
    assertThat(domains).allMatch(each -> domain(each).traffic().recent() <= 50);
  }

  @Test
  void nothingIsMergedWhereThereIsNoRoom() throws Exception {
    start(0.5);
    arrive(CHAIN.get(0));
    ask("films", 500);
    Await.until("that is noticed", () -> domain("films").traffic().recent() > 400);
    arrive(CHAIN.get(1));

    assertThat(isMerged("films")).isFalse();
    assertThat(domain("films").serving().orElseThrow().stable().version().version()).isEqualTo(2);
    assertThat(Scrape.count(metrics, "millrace_merge_seconds")).isZero();
  }

  @Test
  void itSleepsWhileNoDomainIsAskedHoweverManyThereAre() throws Exception {
    start(1.5);
    arrive(CHAIN.get(0));

    Await.until("it waits without a time limit", () -> merging().getState() == WAITING);
    ask("films", 50);
    Await.until("it is merged", () -> isMerged("films"));
  }

  private static Thread merging() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.getName().equals("merge"))
        .findFirst()
        .orElseThrow();
  }

  private void arrive(AdapterVersion version) {
    byte[] key = Topics.adapterKey(version.getDomain(), version.getVersion());
    intake.record(key, version, new StreamOffset(0, ++next), Instant.EPOCH);
    intake.flush();
    published.put(version.getVersion(), TestDecisions.ref(version));
  }

  /** With the event that makes it serve under the policy latest. */
  private void publish(AdapterVersion version) {
    arrive(version);
    LoggedEvent logged =
        new LoggedEvent(0, ++next, Instant.EPOCH, TestDecisions.published(version));
    catalog.rollouts().add(RolloutKind.PUBLICATIONS, List.of(logged), Map.of(0, next + 1));
    catalog.settle("films");
  }

  private static void awaitQuietly(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void decide(TestDecisions.Decision decision) throws Exception {
    RolloutEvent event =
        decision.make(
            new RolloutDecisions(catalog.rollouts().of("films"), published, "tester", ""));
    LoggedEvent logged = new LoggedEvent(0, ++next, Instant.EPOCH, event);
    catalog.rollouts().add(RolloutKind.DECISIONS, List.of(logged), Map.of(0, next + 1));
    catalog.settle("films");
  }

  private void ask(String domain, int times) {
    for (int i = 0; i < times; i++) {
      domain(domain).countRequest();
    }
  }

  private boolean hasServed(long version) {
    ServedDomain films = domain("films");
    return films.firstLiveAt(films.version(version).orElseThrow()).isPresent();
  }

  private ServedDomain domain(String name) {
    return catalog.find(name).orElseThrow();
  }

  private long serving(String domain) {
    return domain(domain).serving().orElseThrow().stable().version().version();
  }

  private boolean isMerged(String domain) {
    return domain(domain).serving().orElseThrow().stable().classifier().isMerged();
  }
}
