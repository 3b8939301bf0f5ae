package io.millrace.pipeline.demo;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Requests predictions from the serving process at a steady rate, and records which version
 * answers.
 */
final class PredictionLoad implements Runnable {
  private static final Duration EVERY = Duration.ofMillis(50);
  private static final Duration TIMEOUT = Duration.ofSeconds(10);
  private static final ObjectMapper JSON = new ObjectMapper();

  private final HttpClient http = HttpClient.newBuilder().connectTimeout(TIMEOUT).build();
  private final URI predict;
  private final String domain;
  private final List<String> texts;
  private final NavigableMap<Long, Long> firstAnswerAt = new ConcurrentSkipListMap<>();
  private final NavigableMap<Long, CompletableFuture<Void>> awaited = new ConcurrentSkipListMap<>();
  private final AtomicLong answers = new AtomicLong();
  private final AtomicLong failures = new AtomicLong();

  PredictionLoad(URI service, String domain, List<String> texts) {
    this.predict = service.resolve("/v1/predict");
    this.domain = domain;
    this.texts = texts;
  }

  /** Until the thread is interrupted. */
  @Override
  public void run() {
    long next = System.nanoTime();
    try {
      for (int i = 0; !Thread.currentThread().isInterrupted(); i++) {
        ask(texts.get(i % texts.size()));
        next += EVERY.toNanos();
        long wait = next - System.nanoTime();
        if (wait > 0) {
          Thread.sleep(Duration.ofNanos(wait).toMillis());
        } else {
          next = System.nanoTime();
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void ask(String text) throws InterruptedException {
    try {
      HttpRequest request =
          HttpRequest.newBuilder(predict)
              .timeout(TIMEOUT)
              .header("Content-Type", "application/json")
              .POST(
                  HttpRequest.BodyPublishers.ofString(
                      JSON.writeValueAsString(Map.of("domain", domain, "text", text))))
              .build();
      HttpResponse<String> response = http.send(request, HttpResponse.BodyHandlers.ofString());
      if (response.statusCode() == 200) {
        JsonNode answer = JSON.readTree(response.body());
        // Before the first version the base model answers, without a label.
        if (answer.hasNonNull("version")) {
          firstAnswerAt.putIfAbsent(answer.path("version").asLong(), System.currentTimeMillis());
          completeAwaited();
          answers.incrementAndGet();
        }
      } else if (!firstAnswerAt.isEmpty()) {
        // Before the first version the process may still be loading.
        failures.incrementAndGet();
      }
    } catch (IOException e) {
      failures.incrementAndGet();
    }
  }

  /** Per version, when its first answer came, in milliseconds since the epoch. */
  NavigableMap<Long, Long> firstAnswerAt() {
    return firstAnswerAt;
  }

  /** Completes once this version, or a newer one, has answered. */
  CompletableFuture<Void> answered(long version) {
    CompletableFuture<Void> answered =
        awaited.computeIfAbsent(version, awaitedVersion -> new CompletableFuture<>());
    completeAwaited();
    return answered;
  }

  private void completeAwaited() {
    awaited.headMap(newestVersion(), true).values().forEach(future -> future.complete(null));
  }

  /** The newest version that has answered; 0 before the first. */
  long newestVersion() {
    return firstAnswerAt.isEmpty() ? 0 : firstAnswerAt.lastKey();
  }

  /** Predictions answered. */
  long answers() {
    return answers.get();
  }

  /** Requests refused or lost since the first answer. */
  long failures() {
    return failures.get();
  }
}
