package io.millrace.pipeline.console;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Lets a command stop cleanly when the process is asked to end, by Ctrl-C or SIGTERM: the process
 * waits, for a bounded time, until the command has closed what it opened. Its exit code is then 130
 * or 143, as for any process that a signal ends.
 *
 * <pre>{@code
 * try (StopSignal stop = StopSignal.install();
 *     EmbeddedStack stack = EmbeddedStack.start(...)) {
 *   stop.requested().join();
 * }
 * }</pre>
 */
public final class StopSignal implements AutoCloseable {
  private static final Duration GRACE = Duration.ofSeconds(40);

  private final CompletableFuture<Void> requested = new CompletableFuture<>();
  private final CountDownLatch finished = new CountDownLatch(1);
  private final Thread hook = new Thread(this::stop, "stop-signal");

  private StopSignal() {}

  /** Installs it; open it before what has to be closed. */
  public static StopSignal install() {
    StopSignal signal = new StopSignal();
    Runtime.getRuntime().addShutdownHook(signal.hook);
    return signal;
  }

  /** Completes when the process is asked to end. */
  public CompletableFuture<Void> requested() {
    return requested;
  }

  /** Says that all is closed: the process may end. */
  @Override
  public void close() {
    finished.countDown();
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      // The hook is running and has just been released.
    }
  }

  private void stop() {
    requested.complete(null);
    try {
      finished.await(GRACE.toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
