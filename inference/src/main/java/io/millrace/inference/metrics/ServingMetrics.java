package io.millrace.inference.metrics;

import io.millrace.inference.feedback.Feedback;
import io.millrace.inference.log.LogFollower;
import io.millrace.inference.serving.AdapterCatalog;
import io.millrace.inference.serving.Assignment;
import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.CounterWithCallback;
import io.prometheus.metrics.core.metrics.GaugeWithCallback;
import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import io.prometheus.metrics.model.snapshots.Unit;
import java.time.Duration;
import java.util.function.BiConsumer;

/**
 * What is counted and timed here, as Prometheus collects it; docs/serving.md lists the series. Any
 * thread may report.
 */
public final class ServingMetrics {
  /** Of the paths nobody serves: a client may ask for as many of those as it likes. */
  public static final String NO_ENDPOINT = "none";

  private static final double[] LATENCIES = {
    0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 1, 2, 5, 10
  };

  private final PrometheusRegistry registry = new PrometheusRegistry();
  private final Counter requests =
      Counter.builder()
          .name("millrace_requests_total")
          .help("Requests answered, by endpoint and HTTP status.")
          .labelNames("endpoint", "status")
          .register(registry);
  private final Histogram predictions =
      histogram(
          "millrace_prediction_seconds", "From a request's body to its prediction.", LATENCIES);
  private final Histogram batches =
      Histogram.builder()
          .name("millrace_batch_size")
          .help("Texts scored in one forward pass.")
          .classicOnly()
          .classicUpperBounds(1, 2, 4, 8, 16, 32, 64, 128)
          .register(registry);
  private final Histogram swaps =
      histogram(
          "millrace_swap_seconds",
          "From when another version is wanted to when it serves.",
          LATENCIES);
  private final Histogram merges =
      histogram(
          "millrace_merge_seconds",
          "Merging a version into the weights, with its pauses.",
          LATENCIES);
  private final Counter refusals =
      Counter.builder()
          .name("millrace_refusals_total")
          .help("Versions refused since the start, each time that they were.")
          .register(registry);

  private final Counter decisions =
      Counter.builder()
          .name("millrace_rollout_decisions_total")
          .help("Decisions about rollouts that clients of this process asked for.")
          .labelNames("action", "outcome")
          .register(registry);
  private final Counter feedback =
      Counter.builder()
          .name("millrace_feedback_total")
          .help("Feedback, by what came of it.")
          .labelNames("outcome")
          .register(registry);

  private Histogram histogram(String name, String help, double... bounds) {
    return Histogram.builder()
        .name(name)
        .help(help)
        .unit(Unit.SECONDS)
        .classicOnly()
        .classicUpperBounds(bounds)
        .register(registry);
  }

  /** A request was answered. */
  public void answered(String endpoint, int status) {
    requests.labelValues(endpoint, Integer.toString(status)).inc();
  }

  /** A prediction was made, this long after its request had come. */
  public void predicted(Duration took) {
    predictions.observe(seconds(took));
  }

  /** So many texts were scored in one forward pass. */
  public void batched(int texts) {
    batches.observe(texts);
  }

  /** Another version serves, this long after it was wanted. */
  public void swapped(Duration took) {
    swaps.observe(seconds(took));
  }

  /** A version was merged into the weights. */
  public void merged(Duration took) {
    merges.observe(seconds(took));
  }

  /** A version was refused. */
  public void refused() {
    refusals.inc();
  }

  /** A decision was asked for, and this came of it. */
  public void decision(String action, String outcome) {
    decisions.labelValues(action, outcome).inc();
  }

  /** Feedback came, and this came of it. */
  public void feedback(String outcome) {
    feedback.labelValues(outcome).inc();
  }

  /**
   * Tells, whenever it is asked, what serves.
   *
   * @param maxDomains of which the versions are told, by name; the others are only counted
   */
  public void follow(AdapterCatalog catalog, int maxDomains) {
    gauge("millrace_domains", "Domains known here.")
        .callback(callback -> callback.call(catalog.domains().size()))
        .register(registry);
    gauge("millrace_refused_versions", "Versions refused at present.")
        .callback(
            callback ->
                callback.call(
                    catalog.domains().stream().mapToInt(domain -> domain.refusals().size()).sum()))
        .register(registry);
    gauge("millrace_serving_version", "Number of the version in use, by domain.")
        .labelNames("domain")
        .callback(
            callback ->
                catalog.domains().stream()
                    .limit(maxDomains)
                    .forEach(
                        domain ->
                            domain
                                .serving()
                                .map(Assignment::stable)
                                .ifPresent(
                                    stable ->
                                        callback.call(stable.version().version(), domain.name()))))
        .register(registry);
    gauge("millrace_candidate_version", "Number of the version that is tried, by domain.")
        .labelNames("domain")
        .callback(
            callback ->
                candidates(
                    catalog,
                    maxDomains,
                    (domain, serving) ->
                        callback.call(serving.candidate().version().version(), domain)))
        .register(registry);
    gauge("millrace_candidate_share", "Its part of the requests, from 0 to 1, by domain.")
        .labelNames("domain")
        .callback(
            callback ->
                candidates(
                    catalog,
                    maxDomains,
                    (domain, serving) -> callback.call(serving.part(), domain)))
        .register(registry);
    gauge("millrace_rollout_shortfalls", "Versions that rollouts name and that do not answer here.")
        .callback(callback -> callback.call(catalog.shortfalls().size()))
        .register(registry);
  }

  private static void candidates(
      AdapterCatalog catalog, int maxDomains, BiConsumer<String, Assignment> tell) {
    catalog.domains().stream()
        .limit(maxDomains)
        .forEach(
            domain ->
                domain
                    .serving()
                    .filter(serving -> serving.candidate() != null)
                    .ifPresent(serving -> tell.accept(domain.name(), serving)));
  }

  /** Tells, whenever it is asked, how far behind the log this process is. */
  public void follow(LogFollower consumer) {
    gauge("millrace_caught_up", "1 once what the log held at the start has been read, else 0.")
        .callback(callback -> callback.call(consumer.progress().caughtUp() ? 1 : 0))
        .register(registry);
    gauge("millrace_lag_records", "Records of the log still to be read, by topic and partition.")
        .labelNames("topic", "partition")
        .callback(
            callback ->
                consumer
                    .progress()
                    .partitions()
                    .forEach(
                        partition -> {
                          if (partition.lag() != null) {
                            callback.call(
                                partition.lag(),
                                partition.topic(),
                                Integer.toString(partition.partition()));
                          }
                        }))
        .register(registry);
    CounterWithCallback.builder()
        .name("millrace_unreadable_records_total")
        .help("Records of the log that nobody could read, since the start.")
        .callback(callback -> callback.call(consumer.progress().unreadable()))
        .register(registry);
  }

  /** Tells, whenever it is asked, what is remembered for feedback. */
  public void follow(Feedback feedback) {
    gauge("millrace_remembered_requests", "Requests that feedback may still be given on, about.")
        .callback(callback -> callback.call(feedback.remembered()))
        .register(registry);
  }

  private static GaugeWithCallback.Builder gauge(String name, String help) {
    return GaugeWithCallback.builder().name(name).help(help);
  }

  private static double seconds(Duration duration) {
    return duration.toNanos() / 1e9;
  }

  /** Everything, as it stands now. */
  public MetricSnapshots scrape() {
    return registry.scrape();
  }
}
