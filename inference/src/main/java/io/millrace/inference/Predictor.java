package io.millrace.inference;

import io.millrace.inference.PredictionException.Reason;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;

/**
 * Predicts with the versions that serve: one forward pass per text, a bounded number at once, a
 * bounded number waiting.
 *
 * <p>A text is scored by the version that serves when it arrives, even if another one is swapped in
 * while it waits.
 */
final class Predictor {
  private final AdapterCatalog catalog;
  private final ThreadPoolExecutor executor;
  private final LongAdder served = new LongAdder();

  /**
   * @param concurrency forward passes at once
   * @param maxQueued texts that may wait for one
   */
  Predictor(AdapterCatalog catalog, int concurrency, int maxQueued) {
    this.catalog = catalog;
    AtomicInteger number = new AtomicInteger();
    this.executor =
        new ThreadPoolExecutor(
            concurrency,
            concurrency,
            0,
            TimeUnit.SECONDS,
            new ArrayBlockingQueue<>(maxQueued),
            work -> {
              Thread thread = new Thread(work, "predict-" + number.incrementAndGet());
              thread.setDaemon(true);
              return thread;
            });
  }

  /**
   * Scores a text.
   *
   * @return completes with the prediction; fails with {@link PredictionException} where there is
   *     none to be had
   */
  CompletableFuture<Prediction> predict(String domain, String text) {
    if (!catalog.isLoaded()) {
      return failed(Reason.NOT_LOADED, "the model is still loading");
    }
    ServedDomain served = catalog.find(domain).orElse(null);
    if (served == null) {
      return failed(Reason.UNKNOWN_DOMAIN, "unknown domain " + quoted(domain));
    }
    LiveAdapter adapter = served.acquire();
    if (adapter == null) {
      return failed(Reason.NOT_LOADED, "no version of domain " + quoted(domain) + " is loaded");
    }
    CompletableFuture<Prediction> prediction = new CompletableFuture<>();
    try {
      executor.execute(() -> complete(prediction, adapter, text));
    } catch (RejectedExecutionException e) {
      adapter.release();
      return failed(Reason.BUSY, "too many predictions are waiting; try again");
    }
    return prediction;
  }

  private void complete(
      CompletableFuture<Prediction> prediction, LiveAdapter adapter, String text) {
    try {
      Prediction made;
      try {
        made = new Prediction(adapter.version(), adapter.classifier().logits(List.of(text))[0]);
        requireFinite(made);
      } finally {
        adapter.release();
      }
      served.increment();
      prediction.complete(made);
    } catch (Throwable e) {
      prediction.completeExceptionally(e);
    }
  }

  private static void requireFinite(Prediction prediction) {
    for (float logit : prediction.logits()) {
      if (!Float.isFinite(logit)) {
        throw new PredictionException(
            Reason.NOT_FINITE,
            "version "
                + prediction.version().version()
                + " of domain "
                + quoted(prediction.version().domain())
                + " gives no finite logits for this text");
      }
    }
  }

  /** Predictions made since the start. */
  long served() {
    return served.sum();
  }

  /**
   * Takes no more texts and waits for those it has.
   *
   * @return false where some were still running when the time was up
   */
  boolean close(Duration timeout) {
    executor.shutdown();
    try {
      return executor.awaitTermination(timeout.toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  private static CompletableFuture<Prediction> failed(Reason reason, String message) {
    return CompletableFuture.failedFuture(new PredictionException(reason, message));
  }

  private static String quoted(String domain) {
    return '"' + (domain.length() <= 80 ? domain : domain.substring(0, 77) + "...") + '"';
  }
}
