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

  private static final String NICEST = "19";
  private static final int TIMEOUT_SECONDS = 5;

  private BackgroundThread() {}

  /** Lets every other thread go before the current one, from now on. */
  static void beNice() {
    try {
      String thread = Files.readSymbolicLink(SELF).getFileName().toString();
      Process renice =
          new ProcessBuilder("renice", "-n", NICEST, "-p", thread)
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
