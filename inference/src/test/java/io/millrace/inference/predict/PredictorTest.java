package io.millrace.inference.predict;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import io.millrace.inference.TestAdapters;
import io.millrace.inference.metrics.Scrape;
import io.millrace.inference.metrics.ServingMetrics;
import io.millrace.inference.serving.AdapterCatalog;
import io.millrace.inference.serving.AdapterLoader;
import io.millrace.inference.serving.Merger;
import io.millrace.inference.store.AdapterStore;
import io.millrace.inference.store.StreamOffset;
import io.millrace.schemas.AdapterVersion;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Queue;
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
    return new Predictor(catalog, 1, 100, maxBatch, metrics);
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
  void textsOfADomainThatIsNotLoadedWaitForItAndAreBounded() {
    AdapterVersion films = TestAdapters.version("films", 1, null);
    store.put(films, new StreamOffset(0, 1));
    catalog = new AdapterCatalog(store, new Merger(0, metrics), metrics);
    catalog.load(new AdapterLoader(store, TestAdapters.base()));
    Predictor predictor = new Predictor(catalog, 1, 2, 16, metrics);

    List<CompletableFuture<Prediction>> asked =
        Stream.generate(() -> predictor.predict("films", "a film", "a key")).limit(50).toList();

    assertThat(asked.get(0).join().version().version()).isEqualTo(1);
    assertThat(asked).anyMatch(CompletableFuture::isCompletedExceptionally);
    assertThat(predictor.close(LONG)).isTrue();
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
