package io.millrace.inference;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Work that is to take only what processor time the requests leave. Java's thread priorities do
 * nothing on Linux, whose threads have a nice value of their own: {@code renice} sets it, and
 * everybody may raise his own. Where that cannot be done, the thread runs as any other.
 */
final class BackgroundThread {
  private static final Logger LOG = LoggerFactory.getLogger(BackgroundThread.class);

  /** Links to {@code PID/task/TID} of whichever thread asks. */
  private static final Path SELF = Path.of("/proc/thread-self");

  private static final int TIMEOUT_SECONDS = 5;

  private BackgroundThread() {}

  /**
   * Lets other threads go before the current one.
   *
   * @param nice from 1 to 19, which only takes what nobody else wants
   */
  static void beNice(int nice) {
    try {
      String thread = Files.readSymbolicLink(SELF).getFileName().toString();
      Process renice =
          new ProcessBuilder("renice", "-n", Integer.toString(nice), "-p", thread)
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .start();
      if (!renice.waitFor(TIMEOUT_SECONDS, TimeUnit.SECONDS) || renice.exitValue() != 0) {
        renice.destroy();
        LOG.info("{} runs at the priority of requests", Thread.currentThread().getName());
      }
    } catch (IOException | UnsupportedOperationException e) {
      LOG.info("{} runs at the priority of requests: {}", Thread.currentThread().getName(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
