package io.millrace.svft.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.testing.Await;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Tag("unit")
class SliceThreadsTest {
  private static final Set<Thread.State> WAITING =
      EnumSet.of(Thread.State.WAITING, Thread.State.TIMED_WAITING);

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 4})
  void resultsComeInTheOrderOfTheTasks(int count) {
    try (SliceThreads threads = new SliceThreads(count)) {
      List<Callable<Integer>> tasks = new ArrayList<>();
      IntStream.range(0, 50).forEach(i -> tasks.add(() -> i));

      assertThat(threads.run(tasks)).isEqualTo(IntStream.range(0, 50).boxed().toList());
    }
  }

  @Test
  void theCallerTakesTheFirstTaskAndAnotherThreadTheSecond() {
    Set<String> names = ConcurrentHashMap.newKeySet();
    CountDownLatch both = new CountDownLatch(2);
    Callable<Boolean> task =
        () -> {
          names.add(Thread.currentThread().getName());
          both.countDown();
          return both.await(30, TimeUnit.SECONDS);
        };
    try (SliceThreads threads = new SliceThreads(2)) {
      assertThat(threads.run(List.of(task, task))).containsExactly(true, true);
    }

    assertThat(names).containsExactlyInAnyOrder(Thread.currentThread().getName(), "training-slice");
  }

  /** The caller frees the arrays that the tasks read as soon as it catches the exception. */
  @ParameterizedTest
  @ValueSource(ints = {0, 1, 3})
  void aTaskThatFailsIsReportedAfterAllOthersHaveEnded(int failing) {
    AtomicInteger ended = new AtomicInteger();
    List<Callable<Integer>> tasks = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      int own = i;
      tasks.add(
          () -> {
            if (own == failing) {
              throw new IllegalStateException("slice " + own);
            }
            return ended.incrementAndGet();
          });
    }
    try (SliceThreads threads = new SliceThreads(2)) {
      assertThatThrownBy(() -> threads.run(tasks)).hasMessage("slice " + failing);
      assertThat(ended).hasValue(3);
    }
  }

  @Test
  void anErrorOfOneTaskWaitsForTheOthersToo() {
    AtomicInteger ended = new AtomicInteger();
    CyclicBarrier onTwoThreads = new CyclicBarrier(2);
    CompletableFuture<Thread> failed = new CompletableFuture<>();
    Callable<Integer> failing =
        () -> {
          onTwoThreads.await();
          failed.complete(Thread.currentThread());
          throw new OutOfMemoryError("slice 0");
        };
    Callable<Integer> slow =
        () -> {
          onTwoThreads.await();
          Thread thread = failed.join();
          Await.until("the thread that failed waits", () -> WAITING.contains(thread.getState()));
          return ended.incrementAndGet();
        };
    try (SliceThreads threads = new SliceThreads(2)) {
      assertThatThrownBy(() -> threads.run(List.of(failing, slow)))
          .isInstanceOf(IllegalStateException.class)
          .hasRootCauseMessage("slice 0");
      assertThat(ended).hasValue(1);
    }
  }

  @Test
  void anInterruptedCallerWaitsAndStaysInterrupted() {
    AtomicInteger ended = new AtomicInteger();
    CompletableFuture<Void> interrupted = new CompletableFuture<>();
    CyclicBarrier onTwoThreads = new CyclicBarrier(2);
    Thread asking = Thread.currentThread();
    Callable<Integer> first =
        () -> {
          onTwoThreads.await();
          asking.interrupt();
          interrupted.complete(null);
          return 0;
        };
    Callable<Integer> second =
        () -> {
          onTwoThreads.await();
          // Not a wait that an interrupt ends: this may be the thread that is interrupted.
          interrupted.join();
          return ended.incrementAndGet();
        };
    try (SliceThreads threads = new SliceThreads(2)) {
      assertThat(threads.run(List.of(first, second))).containsExactly(0, 1);
    } finally {
      assertThat(Thread.interrupted()).isTrue();
    }
  }

  @Test
  void closingEndsItsThreads() throws Exception {
    Set<Thread> used = new HashSet<>();
    try (SliceThreads threads = new SliceThreads(2)) {
      CyclicBarrier both = new CyclicBarrier(2);
      Callable<Thread> meet =
          () -> {
            both.await();
            return Thread.currentThread();
          };
      used.addAll(threads.run(List.of(meet, meet)));
    }
    used.remove(Thread.currentThread());

    assertThat(used).hasSize(1);
    for (Thread thread : used) {
      thread.join(30_000);
      assertThat(thread.isAlive()).isFalse();
    }
  }
}
