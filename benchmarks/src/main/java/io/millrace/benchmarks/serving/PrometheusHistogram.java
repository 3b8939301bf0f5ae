package io.millrace.benchmarks.serving;

import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A histogram as Prometheus' text format tells it.
 *
 * @param upTo measurements up to each bound; the last bound is infinite
 */
record PrometheusHistogram(TreeMap<Double, Long> upTo) {
  /** The histogram of that name, which has no labels; empty where there is none. */
  static Optional<PrometheusHistogram> parse(String text, String name) {
    Matcher bucket =
        Pattern.compile("(?m)^" + Pattern.quote(name) + "_bucket\\{le=\"([^\"]+)\"\\} (\\d+)")
            .matcher(text);
    TreeMap<Double, Long> upTo = new TreeMap<>();
    while (bucket.find()) {
      boolean last = bucket.group(1).equals("+Inf");
      upTo.put(
          last ? Double.POSITIVE_INFINITY : Double.parseDouble(bucket.group(1)),
          Long.parseLong(bucket.group(2)));
    }
    return upTo.isEmpty() ? Optional.empty() : Optional.of(new PrometheusHistogram(upTo));
  }

  /** The measurements that came after those of an earlier histogram of the same bounds. */
  PrometheusHistogram since(PrometheusHistogram earlier) {
    TreeMap<Double, Long> later = new TreeMap<>(upTo);
    later.replaceAll((bound, count) -> count - earlier.upTo.getOrDefault(bound, 0L));
    return new PrometheusHistogram(later);
  }

  /** Measurements. */
  long count() {
    return upTo.lastEntry().getValue();
  }

  /**
   * As Prometheus estimates it: on a line between the bounds of the bucket it falls into.
   *
   * @param part from 0 to 1
   * @return the highest finite bound where it lies beyond
   */
  double quantile(double part) {
    double rank = part * count();
    double lower = 0;
    long below = 0;
    for (Map.Entry<Double, Long> bucket : upTo.entrySet()) {
      long within = bucket.getValue() - below;
      if (bucket.getValue() >= rank && within > 0) {
        return bucket.getKey().isInfinite()
            ? lower
            : lower + (bucket.getKey() - lower) * (rank - below) / within;
      }
      lower = bucket.getKey().isInfinite() ? lower : bucket.getKey();
      below = bucket.getValue();
    }
    return lower;
  }
}
