package io.millrace.inference.log;

import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * How far a {@link TopicReader} has read and what stops it: reported to the log file, to callers of
 * {@link #latest}, and, until the reader has caught up, at the console.
 *
 * <p>The thread of the reader changes it; any thread may call {@link #latest}.
 */
final class ReaderProgress {
  private static final Logger LOG = LoggerFactory.getLogger(ReaderProgress.class);

  private final List<FollowedTopic<?>> topics;
  private final Runnable onProgress;
  private final Consumer<String> notices;
  private volatile ConsumerProgress latest;
  private String problem;
  private long unreadable;
  private String lastUnreadable;

  /**
   * @param onProgress called after every report
   * @param notices receives the few lines that are shown at the console
   */
  ReaderProgress(List<FollowedTopic<?>> topics, Runnable onProgress, Consumer<String> notices) {
    this.topics = topics;
    this.onProgress = onProgress;
    this.notices = notices;
    this.latest = new ConsumerProgress(unread(), null, List.of(), 0, null);
  }

  ConsumerProgress latest() {
    return latest;
  }

  /** Reports the positions of the reader. */
  void report(List<ConsumerProgress.Partition> partitions) {
    latest = new ConsumerProgress(unread(), problem, partitions, unreadable, lastUnreadable);
    onProgress.run();
  }

  private List<String> unread() {
    return topics.stream().filter(topic -> !topic.reachedEnd()).map(FollowedTopic::name).toList();
  }

  /**
   * Counts a record that could not be read; the next report includes it.
   *
   * @param line its topic, partition, offset and fault
   */
  void unreadable(String line) {
    unreadable++;
    lastUnreadable = line;
  }

  /**
   * Reports a problem that stops the reader. A problem that persists is reported once.
   *
   * @param what the problem in one line; null for the text of the exception
   * @param why the exception; null where there is none
   */
  void stuck(String what, Throwable why) {
    String said = what == null ? why.toString() : what;
    if (Objects.equals(said, problem)) {
      return;
    }
    problem = said;
    LOG.warn("{}; trying again until it works", problem, why);
    report(latest.partitions());
    if (!unread().isEmpty()) {
      notices.accept(problem + "; trying again until it works");
    }
  }

  /** Clears the problem; the next report says so. */
  void recovered() {
    problem = null;
  }

  /** Logs a line and shows it at the console. */
  void notice(String line) {
    LOG.warn(line);
    notices.accept(line);
  }
}
