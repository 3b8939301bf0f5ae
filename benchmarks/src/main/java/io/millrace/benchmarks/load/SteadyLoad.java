package io.millrace.benchmarks.load;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntFunction;

/**
 * An open-loop load: requests at a constant rate, sent whether or not earlier ones are answered, so
 * that a stall shows in the latency of every request during it.
 */
public final class SteadyLoad {
  private static final Duration TIMEOUT = Duration.ofSeconds(30);
  private static final JsonMapper JSON = new JsonMapper();

  /**
   * One answer.
   *
   * @param text index of the text that was asked about
   * @param status HTTP's; 0 where there was no answer
   * @param version that the answer names; 0 where it failed, or where no version answered
   * @param logits by label; empty where it failed
   * @param millis from when the request was due to the answer's end
   * @param at when the answer came, in milliseconds since the epoch
   */
  public record Answer(
      int text, int status, long version, Map<String, Double> logits, double millis, long at) {}

  private final HttpClient http =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  private final URI predict;
  private final IntFunction<String> domains;
  private final List<String> texts;
  private final long intervalNanos;
  private int next;

  /** All requests are for one domain. */
  public SteadyLoad(URI service, String domain, List<String> texts, double perSecond) {
    this(service, number -> domain, texts, perSecond);
  }

  /**
   * @param domains gives the domain of each request, by its number from 0
   */
  public SteadyLoad(
      URI service, IntFunction<String> domains, List<String> texts, double perSecond) {
    this.predict = service.resolve("/v1/predict");
    this.domains = domains;
    this.texts = texts;
    this.intervalNanos = (long) (1e9 / perSecond);
  }

  /** Sends requests for a given time and waits for all their answers. */
  public List<Answer> run(Duration time) {
    ConcurrentLinkedQueue<Answer> answers = new ConcurrentLinkedQueue<>();
    List<CompletableFuture<Void>> pending = new ArrayList<>();
    long due = System.nanoTime();
    long end = due + time.toNanos();
    while (due < end) {
      for (long wait = due - System.nanoTime(); wait > 0; wait = due - System.nanoTime()) {
        LockSupport.parkNanos(wait);
      }
      String domain = domains.apply(next);
      int text = next++ % texts.size();
      long dueAt = due;
      pending.add(
          http.sendAsync(request(domain, text), HttpResponse.BodyHandlers.ofByteArray())
              .handle((response, failure) -> answer(text, dueAt, response))
              .thenAccept(answers::add));
      due += intervalNanos;
    }
    CompletableFuture.allOf(pending.toArray(CompletableFuture[]::new)).join();
    return List.copyOf(answers);
  }

  private HttpRequest request(String domain, int text) {
    try {
      return HttpRequest.newBuilder(predict)
          .header("Content-Type", "application/json")
          .timeout(TIMEOUT)
          .POST(
              HttpRequest.BodyPublishers.ofByteArray(
                  JSON.writeValueAsBytes(Map.of("domain", domain, "text", texts.get(text)))))
          .build();
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  private static Answer answer(int text, long due, HttpResponse<byte[]> response) {
    double millis = (System.nanoTime() - due) / 1e6;
    long at = System.currentTimeMillis();
    if (response == null || response.statusCode() != 200) {
      int status = response == null ? 0 : response.statusCode();
      return new Answer(text, status, 0, Map.of(), millis, at);
    }
    try {
      JsonNode body = JSON.readTree(response.body());
      Map<String, Double> logits =
          JSON.convertValue(
              body.path("logits"),
              JSON.getTypeFactory().constructMapType(Map.class, String.class, Double.class));
      return new Answer(text, 200, body.path("version").asLong(), logits, millis, at);
    } catch (IOException e) {
      return new Answer(text, 0, 0, Map.of(), millis, at);
    }
  }
}
