package io.millrace.svft;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The same state and batch give the same bits, whatever else goes on. */
@ExtendWith(Models.class)
class DeterminismTest {
  private final BaseModel base;

  DeterminismTest(@Models.MiniLm BaseModel base) {
    this.base = base;
  }

  @Test
  void anotherProcessGetsTheSameBits() throws Exception {
    try (ChildJvm child = ChildJvm.start(List.of(), TrainingChain.class, "50", "8", "5")) {
      List<String> here = TrainingChain.run(base, 50, 8, 5);

      assertThat(child.output()).isEqualTo(here);
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

  /** Of itself MKL shares out small products by the number of threads; MKL_CBWR forbids it. */
  @ParameterizedTest
  @ValueSource(ints = {1, 3, 8, 16})
  void theNumberOfThreadsOfAnOperatorDoesNotReachTheResult(int batchSize) {
    try {
      Torch.setThreads(1);
      List<String> one = TrainingChain.run(base, 50, batchSize, 3);
      Torch.setThreads(2);

      assertThat(TrainingChain.run(base, 50, batchSize, 3)).isEqualTo(one);
    } finally {
      Torch.setThreads(1);
    }
  }
}
