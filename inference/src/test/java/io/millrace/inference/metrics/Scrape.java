package io.millrace.inference.metrics;

import io.millrace.inference.http.ApiDescription;
import io.prometheus.metrics.model.snapshots.HistogramSnapshot;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What {@code /metrics} says, read as Prometheus' text format, line by line; a line that is none
 * fails.
 *
 * @param samples by series, as {@code name{label="value",...}}
 * @param types by name: counter, gauge, histogram
 */
public record Scrape(String contentType, Map<String, Double> samples, Map<String, String> types) {
  private static final Pattern SAMPLE =
      Pattern.compile("([a-z_]+(?:\\{(?:[a-z]+=\"(?:[^\"\\\\\\n]|\\\\[\\\\n\"])*\",?)+})?) (\\S+)");
  private static final Pattern COMMENT = Pattern.compile("# (HELP|TYPE) (\\S+) (.+)");

  public static Scrape of(int port) throws Exception {
    return of(port, "text/plain;version=0.0.4");
  }

  /** As Prometheus gets it. */
  static String text(int port) throws Exception {
    return get(port, "text/plain;version=0.0.4").body();
  }

  private static HttpResponse<String> get(int port, String accept) throws Exception {
    HttpResponse<String> response =
        HttpClient.newHttpClient()
            .send(
                HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/metrics"))
                    .header("Accept", accept)
                    .build(),
                BodyHandlers.ofString());
    ApiDescription.get().check(response);
    return response;
  }

  static Scrape of(int port, String accept) throws Exception {
    HttpResponse<String> response = get(port, accept);
    Map<String, Double> samples = new LinkedHashMap<>();
    Map<String, String> types = new LinkedHashMap<>();
    for (String line : response.body().split("\n")) {
      Matcher comment = COMMENT.matcher(line);
      Matcher sample = SAMPLE.matcher(line);
      if (comment.matches()) {
        if (comment.group(1).equals("TYPE")) {
          types.put(comment.group(2), comment.group(3));
        }
      } else if (!sample.matches()
          || samples.put(sample.group(1), number(sample.group(2))) != null) {
        throw new AssertionError("no sample, or one that is there twice: " + line);
      }
    }
    return new Scrape(response.headers().firstValue("Content-Type").orElseThrow(), samples, types);
  }

  /** How often a histogram was observed, without asking over HTTP. */
  public static long count(ServingMetrics metrics, String histogram) {
    return metrics.scrape().stream()
        .filter(snapshot -> snapshot.getMetadata().getPrometheusName().equals(histogram))
        .flatMap(snapshot -> ((HistogramSnapshot) snapshot).getDataPoints().stream())
        .mapToLong(HistogramSnapshot.HistogramDataPointSnapshot::getCount)
        .sum();
  }

  private static double number(String text) {
    return text.equals("+Inf") ? Double.POSITIVE_INFINITY : Double.parseDouble(text);
  }

  /** Zero where there is no such series. */
  public double value(String series) {
    return samples.getOrDefault(series, 0.0);
  }
}
