package io.millrace.inference.metrics;

import io.millrace.client.process.BuildVersion;
import io.millrace.schemas.RolloutAction;
import io.millrace.schemas.rollout.Rollout;
import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.CounterWithCallback;
import io.prometheus.metrics.core.metrics.GaugeWithCallback;
import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.core.metrics.Info;
import io.prometheus.metrics.instrumentation.jvm.JvmMetrics;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import io.prometheus.metrics.model.snapshots.Unit;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;
import java.util.function.DoubleSupplier;

/**
 * The counters, histograms and gauges of this process, for Prometheus. docs/metrics.md lists them.
 * Any thread may call.
 */
public final class ServingMetrics {
  /** The endpoint of all unknown paths: a client may ask for any number of those. */
  public static final String NO_ENDPOINT = "none";

  private static final double[] LATENCIES = {
    0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 1, 2, 5, 10
  };

  private static final double[] LOADS = {
    0.0001, 0.0002, 0.0003, 0.0004, 0.0005, 0.00075, 0.001, 0.0015, 0.002, 0.003, 0.004, 0.005,
    0.0075, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1
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
  private final Counter inputs =
      Counter.builder()
          .name("millrace_inputs_total")
          .help("Texts in lists of them, by the status that each was answered with.")
          .labelNames("status")
          .register(registry);
  private final Counter answers =
      Counter.builder()
          .name("millrace_predictions_total")
          .help("Predictions answered, by what answered: the domain asked, one above it, the base.")
          .labelNames("by")
          .register(registry);
  private final Histogram batches =
      Histogram.builder()
          .name("millrace_batch_size")
          .help("Texts scored in one forward pass.")
          .classicOnly()
          .classicUpperBounds(1, 2, 4, 8, 16, 32, 64, 128)
          .register(registry);
  private final Histogram adapters =
      Histogram.builder()
          .name("millrace_batch_adapters")
          .help("Adapters in one forward pass.")
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
  private final Histogram loads =
      histogram(
          "millrace_domain_load_seconds",
          "Loading a domain that was not in memory: from the store to what answers.",
          LOADS);
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
  private final Counter events =
      Counter.builder()
          .name("millrace_rollout_events_total")
          .help("Events of rollouts that had an effect here and were written since the start.")
          .labelNames("action")
          .register(registry);
  private final Counter feedback =
      Counter.builder()
          .name("millrace_feedback_total")
          .help("Feedback, by what came of it.")
          .labelNames("outcome")
          .register(registry);

  /**
   * Adds the metrics of the Java virtual machine and of the build. Series whose labels are known
   * begin at zero: the rate of one that appears with its first event misses that event.
   */
  public ServingMetrics() {
    JvmMetrics.builder().register(registry);
    Info.builder()
        .name("millrace_build")
        .help("Which build of Millrace this is, and the Java that runs it.")
        .labelNames("version", "java")
        .register(registry)
        .setLabelValues(BuildVersion.text(), Runtime.version().toString());
    for (RolloutAction action : RolloutAction.values()) {
      if (Rollout.isDecision(action) || action == RolloutAction.PUBLISHED) {
        events.initLabelValues(word(action));
      }
    }
  }

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

  /** A text in a list was answered. */
  public void answeredInput(int status) {
    inputs.labelValues(Integer.toString(status)).inc();
  }

  /**
   * A prediction was made.
   *
   * @param servedBy what answered, as the answer says it
   * @param took from when its request had arrived
   */
  public void predicted(String servedBy, Duration took) {
    answers.labelValues(servedBy).inc();
    predictions.observe(seconds(took));
  }

  /**
   * A number of texts was scored in one forward pass.
   *
   * @param versions that scored them
   */
  public void batched(int texts, int versions) {
    batches.observe(texts);
    adapters.observe(versions);
  }

  /**
   * Another version serves.
   *
   * @param took from when it was wanted
   */
  public void swapped(Duration took) {
    swaps.observe(seconds(took));
  }

  /** A version was merged into the weights. */
  public void merged(Duration took) {
    merges.observe(seconds(took));
  }

  /** A domain was loaded that was not in memory. */
  public void loaded(Duration took) {
    loads.observe(seconds(took));
  }

  /** A version was refused. */
  public void refused() {
    refusals.inc();
  }

  /** A decision was asked for. */
  public void decision(String action, String outcome) {
    decisions.labelValues(action, outcome).inc();
  }

  /** An event of a rollout had an effect. */
  public void rolloutEvent(RolloutAction action) {
    events.labelValues(word(action)).inc();
  }

  private static String word(RolloutAction action) {
    return action.name().toLowerCase(Locale.ROOT);
  }

  /** Feedback was given. */
  public void feedback(String outcome) {
    feedback.labelValues(outcome).inc();
  }

  /**
   * Adds a gauge that is read when it is scraped.
   *
   * @param value its value; called on the thread that scrapes
   */
  public void gauge(String name, String help, DoubleSupplier value) {
    GaugeWithCallback.builder()
        .name(name)
        .help(help)
        .callback(callback -> callback.call(value.getAsDouble()))
        .register(registry);
  }

  /**
   * Adds a gauge of several series that is read when it is scraped.
   *
   * @param labels the names of the series' labels
   * @param values gives each series its value; called on the thread that scrapes
   */
  public void gauge(String name, String help, List<String> labels, Consumer<Series> values) {
    GaugeWithCallback.builder()
        .name(name)
        .help(help)
        .labelNames(labels.toArray(String[]::new))
        .callback(callback -> values.accept(callback::call))
        .register(registry);
  }

  /**
   * Adds a counter that is read when it is scraped.
   *
   * @param count the count since the start; called on the thread that scrapes
   */
  public void counter(String name, String help, DoubleSupplier count) {
    CounterWithCallback.builder()
        .name(name)
        .help(help)
        .callback(callback -> callback.call(count.getAsDouble()))
        .register(registry);
  }

  /** Takes the values of a gauge's series. */
  public interface Series {
    /**
     * @param labels the values of the labels, in the order of their names
     */
    void put(double value, String... labels);
  }

  private static double seconds(Duration duration) {
    return duration.toNanos() / 1e9;
  }

  /** All series with their present values. */
  public MetricSnapshots scrape() {
    return registry.scrape();
  }
}
