package io.millrace.benchmarks.load;

import com.fasterxml.jackson.core.JsonProcessingException;
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
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;

/** A closed-loop load: each client sends its next request when the last one is answered. */
public final class ClosedLoad implements AutoCloseable {
  private static final JsonMapper JSON = new JsonMapper();

  private final HttpClient http =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  private final ExecutorService threads;
  private final URI predict;
  private final int clients;

  public ClosedLoad(URI service, int clients) {
    this.predict = service.resolve("/v1/predict");
    this.clients = clients;
    this.threads = Executors.newFixedThreadPool(clients);
  }

  /**
   * Sends requests for a given time.
   *
   * @return answers per second
   * @throws IllegalStateException where a request fails
   */
  public double perSecond(String domain, List<String> texts, Duration time)
      throws InterruptedException {
    return perSecond(List.of(domain), texts, time);
  }

  /**
   * As the other {@code perSecond}, with requests for one domain after the other.
   *
   * @param domains in the order in which they are asked; client after client begins further on
   */
  public double perSecond(List<String> domains, List<String> texts, Duration time)
      throws InterruptedException {
    int count = Math.max(domains.size(), texts.size());
    List<byte[]> bodies =
        IntStream.range(0, count)
            .mapToObj(i -> body(domains.get(i % domains.size()), texts.get(i % texts.size())))
            .toList();
    long start = System.nanoTime();
    long end = start + time.toNanos();
    List<Callable<Integer>> work = new ArrayList<>();
    for (int client = 0; client < clients; client++) {
      int first = client * bodies.size() / clients;
      work.add(() -> ask(bodies, first, end));
    }
    int answers = 0;
    for (Future<Integer> each : threads.invokeAll(work)) {
      try {
        answers += each.get();
      } catch (ExecutionException e) {
        throw new IllegalStateException("a request failed: " + e.getCause().getMessage(), e);
      }
    }
    return answers / ((System.nanoTime() - start) / 1e9);
  }

  private int ask(List<byte[]> bodies, int first, long end)
      throws IOException, InterruptedException {
    int answers = 0;
    for (int i = first; System.nanoTime() < end; i++) {
      HttpRequest request =
          HttpRequest.newBuilder(predict)
              .header("Content-Type", "application/json")
              .POST(HttpRequest.BodyPublishers.ofByteArray(bodies.get(i % bodies.size())))
              .build();
      HttpResponse<String> response = http.send(request, HttpResponse.BodyHandlers.ofString());
      if (response.statusCode() != 200) {
        throw new IOException(response.statusCode() + " " + response.body());
      }
      answers++;
    }
    return answers;
  }

  private static byte[] body(String domain, String text) {
    try {
      return JSON.writeValueAsBytes(Map.of("domain", domain, "text", text));
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  @Override
  public void close() {
    threads.shutdownNow();
  }
}
