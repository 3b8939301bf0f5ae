package io.millrace.inference.predict;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import io.millrace.client.rollout.RolloutKind;
import io.millrace.inference.TestAdapters;
import io.millrace.inference.TestDecisions;
import io.millrace.inference.log.AdapterIntake;
import io.millrace.inference.metrics.Scrape;
import io.millrace.inference.metrics.ServingMetrics;
import io.millrace.inference.serving.AdapterCatalog;
import io.millrace.inference.serving.AdapterLoader;
import io.millrace.inference.serving.LiveAdapter;
import io.millrace.inference.serving.Merger;
import io.millrace.inference.store.AdapterStore;
import io.millrace.inference.store.LoggedEvent;
import io.millrace.inference.store.StreamOffset;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.RolloutPolicy;
import io.millrace.schemas.Topics;
import io.millrace.schemas.rollout.RolloutDecisions;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.AbstractList;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("integration")
class PredictorTest {
  private static final Duration LONG = Duration.ofSeconds(30);

  /** Takes so long to score that whatever is asked next has to wait. */
  private static final String LONG_TEXT = "a long story about very little ".repeat(30);

  @TempDir Path directory;
  private final ServingMetrics metrics = new ServingMetrics();
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

  private Predictor predictor(int maxBatch, AdapterVersion... versions) {
    for (AdapterVersion version : versions) {
      store.put(version, new StreamOffset(0, 1));
    }
    catalog = new AdapterCatalog(store, new Merger(0, metrics), metrics);
    catalog.load(new AdapterLoader(store, TestAdapters.base()));
    catalog.domains().values().forEach(domain -> domain.startLoading().join());
    return new Predictor(catalog, 1, 100, maxBatch, Fallback.PARENT, metrics);
  }

  @Test
  void textsThatWaitTogetherAreScoredTogetherAsIfEachWereAlone() {
    AdapterVersion version = TestAdapters.version("films", 1, null);
    Predictor predictor = predictor(16, version);
    List<String> texts = IntStream.range(0, 20).mapToObj(i -> "film number " + i).toList();

    CompletableFuture<Prediction> first = predictor.predict("films", LONG_TEXT, "a key");
    List<CompletableFuture<Prediction>> predictions =
        texts.stream().map(text -> predictor.predict("films", text, "a key")).toList();

    assertThat(predictor.close(LONG)).isTrue();
    assertThat(first).isCompleted();
    for (int i = 0; i < texts.size(); i++) {
      assertThat(predictions.get(i).join().logits())
          .containsExactly(
              TestAdapters.logits(version, texts.get(i)), offset(TestAdapters.ROUNDING));
    }
    assertThat(predictor.served()).isEqualTo(21);
    assertThat(Scrape.count(metrics, "millrace_batch_size")).isLessThan(6);
  }

  @Test
  void textsOfManyDomainsThatWaitTogetherAreOnePassAsIfEachWereAlone() {
    List<AdapterVersion> versions =
        IntStream.range(0, 12).mapToObj(i -> TestAdapters.version("domain-" + i, 1, null)).toList();
    Predictor predictor = predictor(16, versions.toArray(AdapterVersion[]::new));

    CompletableFuture<Prediction> first = predictor.predict("domain-0", LONG_TEXT, "a key");
    List<CompletableFuture<Prediction>> predictions =
        IntStream.range(0, 12)
            .mapToObj(i -> predictor.predict("domain-" + i, "film number " + i, "a key"))
            .toList();

    assertThat(predictor.close(LONG)).isTrue();
    assertThat(first).isCompleted();
    for (int i = 0; i < versions.size(); i++) {
      assertThat(predictions.get(i).join().version().domain()).isEqualTo("domain-" + i);
      assertThat(predictions.get(i).join().logits())
          .containsExactly(
              TestAdapters.logits(versions.get(i), "film number " + i),
              offset(TestAdapters.ROUNDING));
    }
    assertThat(Scrape.count(metrics, "millrace_batch_size")).isLessThanOrEqualTo(4);
  }

  @Test
  void textsOfADomainThatIsNotLoadedWaitForItAndAreBounded() {
    AdapterVersion films = TestAdapters.version("films", 1, null);
    store.put(films, new StreamOffset(0, 1));
    catalog = new AdapterCatalog(store, new Merger(0, metrics), metrics);
    catalog.load(new AdapterLoader(store, TestAdapters.base()));
    Predictor predictor = new Predictor(catalog, 1, 2, 16, Fallback.PARENT, metrics);

    List<CompletableFuture<Prediction>> asked =
        Stream.generate(() -> predictor.predict("films", "a film", "a key")).limit(50).toList();

    assertThat(asked.get(0).join().version().version()).isEqualTo(1);
    assertThat(asked).anyMatch(CompletableFuture::isCompletedExceptionally);
    assertThat(predictor.close(LONG)).isTrue();
  }

  @Test
  void theRolloutOfTheDomainAboveSaysWhichOfItsVersionsAnswers() throws Exception {
    List<AdapterVersion> chain = TestAdapters.chain("films", 2);
    Predictor predictor = predictor(16, chain.toArray(AdapterVersion[]::new));
    decide("films", decisions -> decisions.pin(1L));
    assertThat(answering(predictor, "films/old", "a key")).isEqualTo(1);

    decide("films", decisions -> decisions.canary(2L, 0.5));

    Set<Long> versions = new HashSet<>();
    for (int i = 0; i < 40; i++) {
      long version = answering(predictor, "films/old", "key " + i);
      assertThat(version).isEqualTo(answering(predictor, "films", "key " + i));
      versions.add(version);
    }
    assertThat(versions).containsExactlyInAnyOrder(1L, 2L);
    assertThat(predictor.close(LONG)).isTrue();
  }

  @Test
  void whileItsRolloutLetsNoVersionServeTheDomainAboveAnswers() throws Exception {
    Predictor predictor = predictor(16, TestAdapters.version("films", 1, null));
    decide("films/old", decisions -> decisions.policy(RolloutPolicy.MANUAL, null));
    AdapterIntake intake = new AdapterIntake(store, catalog);
    AdapterVersion first = TestAdapters.version("films/old", 1, null);
    intake.record(Topics.adapterKey("films/old", 1), first, new StreamOffset(0, 2), Instant.EPOCH);
    intake.flush();
    assertThat(predictor.predict("films/old", "a film", "a key").join().servedDomain())
        .isEqualTo("films");

    decide("films/old", decisions -> decisions.promote(1L));

    assertThat(predictor.predict("films/old", "a film", "a key").join().servedDomain())
        .isEqualTo("films/old");
    assertThat(predictor.close(LONG)).isTrue();
  }

  @Test
  void aVersionThatArrivesAnswersForItsDomainFromThenOn() throws Exception {
    Predictor predictor = predictor(16, TestAdapters.version("films", 1, null));
    Prediction before = predictor.predict("films/old", "a film", "a key").join();
    assertThat(before.servedDomain()).isEqualTo("films");

    AdapterIntake intake = new AdapterIntake(store, catalog);
    AdapterVersion first = TestAdapters.version("films/old", 1, null);
    intake.record(Topics.adapterKey("films/old", 1), first, new StreamOffset(0, 2), Instant.EPOCH);
    intake.flush();
    Prediction after = predictor.predict("films/old", "a film", "a key").join();
    assertThat(after.servedDomain()).isEqualTo("films/old");

    intake.record(Topics.adapterKey("films/old", 1), null, new StreamOffset(0, 3), Instant.EPOCH);
    intake.flush();
    Prediction deleted = predictor.predict("films/old", "a film", "a key").join();
    assertThat(deleted.servedDomain()).isEqualTo("films");
    assertThat(predictor.close(LONG)).isTrue();
  }

  @Test
  void ofSeveralTextsThoseOfADomainAreAnsweredByOneVersion() throws Exception {
    List<AdapterVersion> chain = TestAdapters.chain("films", 2);
    Predictor predictor = predictor(16, chain.get(0));
    LiveAdapter first = catalog.find("films").orElseThrow().acquire("a key");
    AdapterIntake intake = new AdapterIntake(store, catalog);
    List<PredictRequest> requests =
        new AbstractList<>() {
          @Override
          public PredictRequest get(int index) {
            if (index == 1) {
              intake.record(
                  Topics.adapterKey("films", 2),
                  chain.get(1),
                  new StreamOffset(0, 2),
                  Instant.EPOCH);
              intake.flush();
            }
            String domain = index < 2 ? "films" : "films/old";
            return new PredictRequest(domain, "a film", "id", "key " + index);
          }

          @Override
          public int size() {
            return 3;
          }
        };

    List<CompletableFuture<Prediction>> predictions = predictor.predict(requests);

    assertThat(predictions.stream().map(p -> p.join().version().version()))
        .containsExactly(1L, 1L, 1L);
    assertThat(answering(predictor, "films", "a key")).isEqualTo(2);
    assertThat(predictor.close(LONG)).isTrue();
    assertThat(first.classifier().logits(List.of("a film"))[0]).hasSize(3);
    first.release();
    assertThatThrownBy(() -> first.classifier().logits(List.of("a film")))
        .as("no one holds it any more")
        .isInstanceOf(IllegalStateException.class);
  }

  private static long answering(Predictor predictor, String domain, String key) {
    return predictor.predict(domain, "a film", key).join().version().version();
  }

  private void decide(String domain, TestDecisions.Decision decision) throws Exception {
    RolloutEvent event =
        decision.make(
            new RolloutDecisions(
                catalog.rollouts().of(domain), catalog.versions(domain), "ann", ""));
    catalog
        .rollouts()
        .add(
            RolloutKind.DECISIONS,
            List.of(new LoggedEvent(0, ++next, Instant.EPOCH, event)),
            Map.of(0, next + 1));
    catalog.settle(domain);
  }

  @Test
  void noMoreAreScoredTogetherThanMay() {
    Predictor predictor = predictor(1, TestAdapters.version("films", 1, null));
    for (int i = 0; i < 10; i++) {
      predictor.predict("films", "film number " + i, "a key");
    }

    assertThat(predictor.close(LONG)).isTrue();
    assertThat(Scrape.count(metrics, "millrace_batch_size")).isEqualTo(10);
  }

  @Test
  void aDomainThatIsAskedMuchKeepsNoOtherWaiting() {
    Predictor predictor =
        predictor(
            4, TestAdapters.version("films", 1, null), TestAdapters.version("books", 1, null));
    Queue<String> order = new ConcurrentLinkedQueue<>();
    predictor.predict("films", LONG_TEXT, "a key");
    for (int i = 0; i < 6; i++) {
      predictor.predict("films", "film " + i, "a key").thenRun(() -> order.add("film"));
    }
    predictor.predict("books", "a book", "a key").thenRun(() -> order.add("book"));
    for (int i = 0; i < 12; i++) {
      predictor.predict("films", "late film " + i, "a key").thenRun(() -> order.add("late film"));
    }

    assertThat(predictor.close(LONG)).isTrue();
    // Six came before it, and at most three of the late ones filled the last pass of those.
    assertThat(new ArrayList<>(order).indexOf("book")).isLessThanOrEqualTo(9);
    assertThat(order).hasSize(19);
  }

  @Test
  void aTextWithoutFiniteLogitsFailsAloneAmongItsNeighbours() {
    List<String> texts = IntStream.range(0, 8).mapToObj(i -> "number " + i * 37).toList();
    AdapterVersion plain = TestAdapters.scaled("films", -1, 0);
    float[] firsts = new float[texts.size()];
    for (int i = 0; i < firsts.length; i++) {
      firsts[i] = TestAdapters.logits(plain, texts.get(i))[0];
    }
    float[] sorted = firsts.clone();
    Arrays.sort(sorted);
    // Overflows for the largest, and only for it.
    float between = (sorted[6] + sorted[7]) / 2;
    assertThat(between).isBetween(0f, 1f);
    float bias = Float.MAX_VALUE * (1 - between);
    Predictor predictor = predictor(16, TestAdapters.scaled("films", -Float.MAX_VALUE, bias));

    predictor.predict("films", "0", "a key");
    List<CompletableFuture<Prediction>> predictions =
        texts.stream().map(text -> predictor.predict("films", text, "a key")).toList();

    assertThat(predictor.close(LONG)).isTrue();
    for (int i = 0; i < firsts.length; i++) {
      if (firsts[i] < between) {
        assertThat(predictions.get(i)).isCompleted();
      } else {
        CompletableFuture<Prediction> failed = predictions.get(i);
        assertThatThrownBy(failed::join).hasMessageContaining("no finite logits for this text");
      }
    }
  }
}
