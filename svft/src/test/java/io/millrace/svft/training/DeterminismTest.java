package io.millrace.svft.training;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.svft.ChildJvm;
import io.millrace.svft.Models;
import io.millrace.svft.model.BaseModel;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The same state and batch give the same bits, regardless of threads and of other work in the
 * process.
 */
@Tag("integration")
@ExtendWith(Models.class)
class DeterminismTest {
  private static final List<String> METHODS =
      List.of("svft:plain", "svft:banded:1", "svft:random:1", "svft:gradient:1", "lora:8");

  private final BaseModel base;

  DeterminismTest(@Models.MiniLm BaseModel base) {
    this.base = base;
  }

  @Test
  void neitherThreadsNorAnotherProcessReachTheResult() throws Exception {
    assertThat(System.getenv()).doesNotContainKey("MKL_CBWR");
    List<String> arguments = new ArrayList<>(List.of("2", "0", "3", "30"));
    arguments.addAll(METHODS);
    try (BaseModel base = TrainingChain.twoLayers();
        ChildJvm child =
            ChildJvm.start(List.of(), TrainingChain.class, arguments.toArray(String[]::new))) {
      List<String> oneThread = new ArrayList<>();
      for (String method : METHODS) {
        List<String> expected = TrainingChain.run(base, method, 1, 0, 3, 30);
        oneThread.addAll(expected);
        for (int threads = 2; threads <= 4; threads++) {
          assertThat(TrainingChain.run(base, method, threads, 0, 3, 30))
              .as("%s, %d threads", method, threads)
              .isEqualTo(expected);
        }
      }

      assertThat(child.output()).isEqualTo(oneThread);
    }
  }

  /** More slices than threads, and fewer. */
  @ParameterizedTest
  @ValueSource(ints = {1, 3, 16, 40})
  void theNumberOfThreadsDoesNotReachTheResultAtAnyBatchSize(int batchSize) {
    List<String> one = TrainingChain.run(base, "svft:banded:1", 1, 0, batchSize, 2);

    for (int threads = 2; threads <= 3; threads++) {
      assertThat(TrainingChain.run(base, "svft:banded:1", threads, 0, batchSize, 2)).isEqualTo(one);
    }
  }

  @Test
  void twoThreadsOnOneModelGetWhatEachGetsAlone() throws Exception {
    List<String> first = TrainingChain.run(base, 50, 3, 8);
    List<String> second = TrainingChain.run(base, 60, 5, 8);

    ExecutorService threads = Executors.newFixedThreadPool(2);
    try {
      List<Future<List<String>>> runs = new ArrayList<>();
      runs.add(threads.submit(() -> TrainingChain.run(base, 50, 3, 8)));
      runs.add(threads.submit(() -> TrainingChain.run(base, 60, 5, 8)));

      assertThat(runs.get(0).get()).isEqualTo(first);
      assertThat(runs.get(1).get()).isEqualTo(second);
    } finally {
      threads.shutdown();
    }
  }
}
