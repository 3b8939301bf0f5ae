package io.millrace.pipeline.job;

import io.millrace.client.kafka.RegistryUnavailableException;
import java.io.InterruptedIOException;
import java.time.Duration;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Waits without limit while the schema registry is unavailable: no record is at fault, and a
 * restart of the job would not help.
 */
final class RegistryPatience {
  private static final Logger LOG = LoggerFactory.getLogger(RegistryPatience.class);
  private static final Duration RETRY_AFTER = Duration.ofSeconds(1);

  private RegistryPatience() {}

  /**
   * The result of {@code conversion}, once the registry answers.
   *
   * @throws InterruptedIOException if the thread is interrupted, as when the job is cancelled
   */
  static <T> T patiently(Supplier<T> conversion) throws InterruptedIOException {
    boolean waited = false;
    while (true) {
      try {
        T converted = conversion.get();
        if (waited) {
          LOG.info("The schema registry answers again");
        }
        return converted;
      } catch (RegistryUnavailableException e) {
        if (!waited) {
          LOG.warn("Waiting for the schema registry: {}", e.getMessage());
          waited = true;
        }
        pause();
      }
    }
  }

  private static void pause() throws InterruptedIOException {
    try {
      Thread.sleep(RETRY_AFTER.toMillis());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("cancelled while waiting for the schema registry");
    }
  }
}
