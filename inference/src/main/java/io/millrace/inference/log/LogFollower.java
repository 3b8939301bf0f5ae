package io.millrace.inference.log;

import io.millrace.client.kafka.Connection;
import io.millrace.client.rollout.RolloutKind;
import io.millrace.inference.metrics.ServingMetrics;
import java.time.Duration;
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
 * Follows the log: versions and their publication by one consumer, which reads what is committed,
 * decisions by another, which reads what stands there. See {@link RolloutKind} for why.
 */
public final class LogFollower {
  private final Consumer<String> notices;
  private final List<TopicReader> readers;
  private final CompletableFuture<Void> caughtUp = new CompletableFuture<>();
  private String lastNotice;

  /**
   * @param notices takes the few lines a person at the console should see
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
    metrics.counter(
        "millrace_unreadable_records_total",
        "Records of the log that nobody could read, since the start.",
        () -> progress().unreadable());
  }

  private void putLags(ServingMetrics.Series series) {
    for (ConsumerProgress.Partition partition : progress().partitions()) {
      if (partition.lag() != null) {
        series.put(partition.lag(), partition.topic(), Integer.toString(partition.partition()));
      }
    }
  }

  public void start() {
    readers.forEach(TopicReader::start);
  }

  /** Both say so when Kafka is away. */
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

  /** Completes when the ends that the topics had at the start are reached. */
  public CompletableFuture<Void> caughtUp() {
    return caughtUp;
  }

  /** How far it is; any thread may ask. Of a partition read twice, the reader that is behind. */
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

  /** Stops reading after the records at hand, soon. */
  public void beginClose() {
    readers.forEach(TopicReader::beginClose);
  }

  /**
   * @return false where it still reads when the time is up
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
