package io.millrace.svft.engine;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The threads that share the slices of a step. The calling thread is one of them. A task may run
 * tasks of its own.
 */
public final class SliceThreads implements AutoCloseable {
  private final int threads;
  private final ExecutorService helpers;

  /**
   * @param threads the number of threads, including the calling one
   * @throws IllegalArgumentException if it is below 1
   */
  public SliceThreads(int threads) {
    if (threads < 1) {
      throw new IllegalArgumentException("threads is " + threads + ", below 1");
    }
    this.threads = threads;
    this.helpers =
        threads == 1
            ? null
            : Executors.newFixedThreadPool(
                threads - 1,
                task -> {
                  Thread thread = new Thread(task, "training-slice");
                  thread.setDaemon(true);
                  return thread;
                });
  }

  /** The number of threads, including the calling one. */
  public int count() {
    return threads;
  }

  /**
   * Runs all tasks and returns when all have ended, even if one fails or the calling thread is
   * interrupted. A running slice reads arrays that the caller frees after this call.
   *
   * @return the results, in the order of the tasks
   * @throws RuntimeException if a task fails; the last failed task's, in the order of the tasks
   */
  public <T> List<T> run(List<Callable<T>> tasks) {
    List<FutureTask<T>> futures = tasks.stream().map(FutureTask::new).toList();
    AtomicInteger next = new AtomicInteger();
    Runnable worker =
        () -> {
          for (int i = next.getAndIncrement(); i < futures.size(); i = next.getAndIncrement()) {
            futures.get(i).run();
          }
        };
    for (int i = 1; i < Math.min(threads, tasks.size()); i++) {
      helpers.execute(worker);
    }
    worker.run();
    List<T> results = new ArrayList<>();
    RuntimeException failure = null;
    for (FutureTask<T> each : futures) {
      try {
        results.add(await(each));
      } catch (ExecutionException e) {
        failure =
            e.getCause() instanceof RuntimeException known
                ? known
                : new IllegalStateException(e.getCause());
      }
    }
    if (failure != null) {
      throw failure;
    }
    return results;
  }

  private static <T> T await(Future<T> future) throws ExecutionException {
    boolean interrupted = false;
    try {
      while (true) {
        try {
          return future.get();
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** Ends the threads and waits for running tasks, for at most a minute. */
  @Override
  public void close() {
    if (helpers != null) {
      helpers.shutdown();
      try {
        helpers.awaitTermination(1, TimeUnit.MINUTES);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
