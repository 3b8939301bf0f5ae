package io.millrace.inference.log;

import io.millrace.client.kafka.Connection;
import io.millrace.client.rollout.RolloutKind;
import io.millrace.inference.metrics.ServingMetrics;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

/**
 * Follows the topics with two consumers: one reads versions and their publications, as committed;
 * the other reads decisions, uncommitted. {@link RolloutKind} says why.
 */
public final class LogFollower {
  private final Consumer<String> notices;
  private final List<TopicReader> readers;
  private final CompletableFuture<Void> caughtUp = new CompletableFuture<>();
  private String lastNotice;

  /**
   * @param notices receives the few lines that are shown at the console
   */
  public LogFollower(
      Connection connection,
      AdapterIntake adapters,
      RolloutIntake publications,
      RolloutIntake decisions,
      Consumer<String> notices) {
    this.notices = notices;
    this.readers =
        List.of(
            new TopicReader(
                "committed-reader",
                connection,
                RolloutKind.PUBLICATIONS.isolation(),
                List.of(adapters, publications),
                this::checkProgress,
                this::notice),
            new TopicReader(
                "decision-reader",
                connection,
                RolloutKind.DECISIONS.isolation(),
                List.of(decisions),
                this::checkProgress,
                this::notice));
  }

  /** Adds the gauges of how far behind the log this process is. */
  public void register(ServingMetrics metrics) {
    metrics.gauge(
        "millrace_caught_up",
        "1 once what the log held at the start has been read, else 0.",
        () -> progress().caughtUp() ? 1 : 0);
    metrics.gauge(
        "millrace_lag_records",
        "Records of the log still to be read, by topic and partition.",
        List.of("topic", "partition"),
        this::putLags);
    metrics.gauge(
        "millrace_lag_seconds",
        "How old a record still to be read may be at most.",
        List.of("topic", "partition"),
        this::putAges);
    metrics.gauge(
        "millrace_log_up",
        "1 while nothing keeps this process from reading the log, else 0.",
        () -> progress().problem() == null ? 1 : 0);
    metrics.counter(
        "millrace_unreadable_records_total",
        "Records of the log that could not be read, since the start.",
        () -> progress().unreadable());
  }

  private void putLags(ServingMetrics.Series series) {
    for (ConsumerProgress.Partition partition : progress().partitions()) {
      if (partition.lag() != null) {
        series.put(partition.lag(), partition.topic(), Integer.toString(partition.partition()));
      }
    }
  }

  private void putAges(ServingMetrics.Series series) {
    Instant now = Instant.now();
    for (ConsumerProgress.Partition partition : progress().partitions()) {
      // It grows where Kafka does not answer: nobody knows what there is to read.
      long millis = Math.max(0, Duration.between(partition.readUpTo(), now).toMillis());
      series.put(millis / 1e3, partition.topic(), Integer.toString(partition.partition()));
    }
  }

  public void start() {
    readers.forEach(TopicReader::start);
  }

  /** Both readers report that Kafka is down; one line is enough. */
  private synchronized void notice(String line) {
    if (!line.equals(lastNotice)) {
      lastNotice = line;
      notices.accept(line);
    }
  }

  private void checkProgress() {
    if (!caughtUp.isDone() && progress().caughtUp()) {
      caughtUp.complete(null);
    }
  }

  /** Completes once the topics are read to the ends they had at the start. */
  public CompletableFuture<Void> caughtUp() {
    return caughtUp;
  }

  /** The progress; any thread may ask. For a partition that both read, that of the slower one. */
  public ConsumerProgress progress() {
    Set<String> unread = new LinkedHashSet<>();
    String problem = null;
    Map<String, ConsumerProgress.Partition> partitions = new LinkedHashMap<>();
    long unreadable = 0;
    String lastUnreadable = null;
    for (TopicReader reader : readers) {
      ConsumerProgress each = reader.progress();
      unread.addAll(each.unread());
      problem = problem == null ? each.problem() : problem;
      for (ConsumerProgress.Partition partition : each.partitions()) {
        partitions.merge(
            partition.topic() + ' ' + partition.partition(), partition, LogFollower::behind);
      }
      unreadable += each.unreadable();
      lastUnreadable = each.lastUnreadable() == null ? lastUnreadable : each.lastUnreadable();
    }
    List<ConsumerProgress.Partition> sorted = new ArrayList<>(partitions.values());
    sorted.sort(
        Comparator.comparing(ConsumerProgress.Partition::topic)
            .thenComparingInt(ConsumerProgress.Partition::partition));
    return new ConsumerProgress(List.copyOf(unread), problem, sorted, unreadable, lastUnreadable);
  }

  private static ConsumerProgress.Partition behind(
      ConsumerProgress.Partition one, ConsumerProgress.Partition other) {
    return one.position() <= other.position() ? one : other;
  }

  /** Asks the readers to stop after the record they are at. */
  public void beginClose() {
    readers.forEach(TopicReader::beginClose);
  }

  /**
   * Waits for the readers to stop.
   *
   * @return false where one still reads when the time is up
   */
  public boolean awaitClosed(Duration timeout) {
    long deadline = System.nanoTime() + timeout.toNanos();
    boolean closed = true;
    for (TopicReader reader : readers) {
      closed &= reader.awaitClosed(Duration.ofNanos(Math.max(0, deadline - System.nanoTime())));
    }
    return closed;
  }
}
