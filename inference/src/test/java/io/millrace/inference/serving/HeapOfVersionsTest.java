package io.millrace.inference.serving;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.client.rollout.RolloutKind;
import io.millrace.inference.TestAdapters;
import io.millrace.inference.TestDecisions;
import io.millrace.inference.metrics.ServingMetrics;
import io.millrace.inference.store.AdapterStore;
import io.millrace.inference.store.LoggedEvent;
import io.millrace.inference.store.StreamOffset;
import io.millrace.schemas.AdapterVersion;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What was published long ago takes room in the store, and none in the heap. */
@Tag("integration")
class HeapOfVersionsTest {
  private static final int VERSIONS = 40_000;

  /** With an object per version it would be more than twenty times as much. */
  private static final long MOST_BYTES = 2 << 20;

  private static final ServingMetrics METRICS = new ServingMetrics();

  @TempDir Path directory;

  @Test
  void doesNotGrowWithTheVersionsThatWerePublished() {
    AdapterVersion newest = TestAdapters.version("films", VERSIONS, null);
    try (AdapterStore store = AdapterStore.open(directory)) {
      fill(store, newest);
      try (AdapterCatalog catalog = new AdapterCatalog(store, new Merger(0, METRICS), METRICS)) {
        long before = usedHeap();

        catalog.load(new AdapterLoader(store, TestAdapters.base()));
        catalog.settle("films");

        assertThat(serving(catalog)).isEqualTo(VERSIONS);
        assertThat(usedHeap() - before).isLessThan(MOST_BYTES);
        assertThat(serving(catalog)).isEqualTo(VERSIONS);
      }
    }
  }

  private static void fill(AdapterStore store, AdapterVersion newest) {
    ByteBuffer empty = ByteBuffer.allocate(0);
    for (long number = 1; number <= VERSIONS; number++) {
      AdapterVersion version =
          number == VERSIONS
              ? newest
              : AdapterVersion.newBuilder(newest).setVersion(number).setPayload(empty).build();
      store.put(version, new StreamOffset(0, number));
      store.putRolloutEvents(
          RolloutKind.PUBLICATIONS,
          List.of(new LoggedEvent(0, number, Instant.EPOCH, TestDecisions.published(version))),
          Map.of(0, number + 1));
    }
  }

  private static long serving(AdapterCatalog catalog) {
    return catalog
        .find("films")
        .flatMap(ServedDomain::serving)
        .orElseThrow()
        .stable()
        .version()
        .version();
  }

  private static long usedHeap() {
    System.gc();
    System.gc();
    return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
  }
}
