package io.millrace.benchmarks.process;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;

/**
 * A directory for one measurement, removed with its contents. Where a signal ends the measurement,
 * its child processes are ended and the directory is removed too.
 */
public final class TemporaryDirectory implements AutoCloseable {
  private static final Duration CHILDREN_END_WITHIN = Duration.ofSeconds(10);

  private final Path path;
  private final Thread onSignal = new Thread(this::removeUntilItIsGone);

  private TemporaryDirectory(Path path) {
    this.path = path;
    Runtime.getRuntime().addShutdownHook(onSignal);
  }

  public static TemporaryDirectory create(String prefix) throws IOException {
    return new TemporaryDirectory(Files.createTempDirectory(prefix));
  }

  public Path path() {
    return path;
  }

  /**
   * @throws UncheckedIOException where something in it cannot be removed
   */
  @Override
  public void close() {
    try {
      Runtime.getRuntime().removeShutdownHook(onSignal);
    } catch (IllegalStateException e) {
      return; // The hook is running.
    }
    try {
      remove();
    } catch (IOException e) {
      throw new UncheckedIOException("cannot remove " + path, e);
    }
  }

  private void remove() throws IOException {
    try (Stream<Path> tree = Files.walk(path)) {
      List<Path> deepestFirst = tree.sorted(Comparator.reverseOrder()).toList();
      for (Path each : deepestFirst) {
        Files.delete(each);
      }
    }
  }

  /** Child processes write until they have ended. */
  private void removeUntilItIsGone() {
    ProcessHandle.current().descendants().forEach(ProcessHandle::destroy);
    long deadline = System.nanoTime() + CHILDREN_END_WITHIN.toNanos();
    while (true) {
      try {
        remove();
        return;
      } catch (IOException | UncheckedIOException e) {
        if (System.nanoTime() > deadline) {
          System.err.println("millrace: " + path + " is left behind: " + e.getMessage());
          return;
        }
        LockSupport.parkNanos(100_000_000);
      }
    }
  }
}
