package io.millrace.pipeline.submission;

import io.millrace.pipeline.submission.JobHealth.Checkpoints;
import io.millrace.pipeline.submission.JobHealth.Failure;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import org.apache.flink.api.common.JobStatus;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reports why a job restarts or its checkpoints fail, each failure once, also in the log; and
 * throws when a job makes no progress. For one thread.
 *
 * <p>Three equal failures in a row, with no commit in between, are on the same input: another
 * restart would fail, too. Failures that may pass, and different ones, have more time.
 *
 * <p>A job makes progress when it commits a step, a version or a dead letter. Completed checkpoints
 * do not count: a job that fails on one record again and again may complete some before it reaches
 * that record.
 */
public final class JobWatch implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(JobWatch.class);
  private static final Duration BETWEEN_LOOKS = Duration.ofSeconds(1);

  /** A job that commits every second is not queried: queries would slow it down. */
  private static final Duration QUIET = Duration.ofSeconds(5);

  private static final int MOST_RESTARTS = 10;

  /** As many equal failures in a row, without a commit in between, are on the same input. */
  private static final int EQUAL_FAILURES = 3;

  /** Enough if they are spread over {@link #PATIENCE}. */
  private static final int FEWEST_RESTARTS = 3;

  private static final Duration PATIENCE = Duration.ofMinutes(5);

  /** One or two failures are normal: a restart cancels a checkpoint, or a file system is slow. */
  private static final int CHECKPOINTS_IN_A_ROW = 3;

  private static final Set<JobStatus> ENDING =
      Set.of(JobStatus.FAILING, JobStatus.FAILED, JobStatus.CANCELLING, JobStatus.CANCELED);

  private final JobHealth health;
  private final Consumer<String> say;
  private final Duration quiet;
  private final List<Failure> withoutProgress = new ArrayList<>();
  private long lastLook = System.nanoTime() - BETWEEN_LOOKS.toNanos();
  private long lastCommit = System.nanoTime();
  private long lastCommitted;
  private long lastFailure = Long.MIN_VALUE;
  private long restarts;
  private long committed;
  private long completedCheckpoints;
  private long failedBefore;
  private boolean tasksRan;
  private boolean saidThatCheckpointsFail;

  /**
   * @param say takes each message, one line
   */
  public JobWatch(FlinkJob job, Consumer<String> say) {
    this(job.health(), say, QUIET);
  }

  /**
   * @param quiet queries Flink only if nothing was committed for so long
   */
  JobWatch(JobHealth health, Consumer<String> say, Duration quiet) {
    this.health = health;
    this.say = say;
    this.quiet = quiet;
  }

  /**
   * Queries Flink once a second if the job has committed nothing for five seconds. If Flink does
   * not answer, it reports nothing: {@link FlinkJob#requireAlive} tells whether the job is alive.
   *
   * @param committed how much the job has committed; only whether that grows matters
   * @throws IllegalStateException if the job restarts repeatedly and commits nothing
   */
  public void look(long committed) {
    long now = System.nanoTime();
    if (committed > lastCommitted) {
      lastCommitted = committed;
      lastCommit = now;
    }
    if (now - lastCommit < quiet.toNanos() || now - lastLook < BETWEEN_LOOKS.toNanos()) {
      return;
    }
    lastLook = now;
    try {
      List<Failure> failures = health.failures();
      boolean tasksRun = health.allTasksRun();
      Checkpoints checkpoints = health.checkpoints();
      if (!ENDING.contains(health.status())) {
        hear(failures, committed);
        hear(checkpoints, tasksRun);
      }
    } catch (TimeoutException e) {
      LOG.info("Not known whether the job fails", e);
    }
  }

  void hear(List<Failure> failures, long committed) {
    if (committed > this.committed) {
      this.committed = committed;
      withoutProgress.clear();
    }
    for (Failure failure : failures) {
      if (failure.timestamp() > lastFailure) {
        lastFailure = failure.timestamp();
        restarts++;
        withoutProgress.add(failure);
        tell("the job restarts (%s time): %s".formatted(ordinal(restarts), failure));
        requireHope();
      }
    }
  }

  void hear(Checkpoints checkpoints, boolean tasksRun) {
    // While tasks start, and when a restart cuts checkpoints off, none can complete.
    if (!tasksRun || !tasksRan || checkpoints.completed() > completedCheckpoints) {
      failedBefore = checkpoints.failed();
      saidThatCheckpointsFail = false;
    }
    completedCheckpoints = checkpoints.completed();
    tasksRan = tasksRun;
    if (checkpoints.failed() - failedBefore >= CHECKPOINTS_IN_A_ROW && !saidThatCheckpointsFail) {
      saidThatCheckpointsFail = true;
      tell(
          "checkpoints fail, so nothing is published: "
              + checkpoints.lastFailure().orElse("Flink's log says why"));
    }
  }

  private void requireHope() {
    int count = withoutProgress.size();
    if (count < FEWEST_RESTARTS) {
      return;
    }
    Failure last = withoutProgress.get(count - 1);
    if (!last.mayPass()
        && withoutProgress.subList(count - EQUAL_FAILURES, count).stream()
            .allMatch(failure -> failure.reason().equals(last.reason()))) {
      throw new IllegalStateException(
          "the job failed %d times in the same way on the same input: %s"
              .formatted(EQUAL_FAILURES, last));
    }
    long millis = last.timestamp() - withoutProgress.get(0).timestamp();
    if (count >= MOST_RESTARTS || millis >= PATIENCE.toMillis()) {
      throw new IllegalStateException(
          "the job restarted %d times and committed nothing in between, the last time because of %s"
              .formatted(count, last));
    }
  }

  private void tell(String line) {
    LOG.warn(line);
    say.accept(line);
  }

  static String ordinal(long number) {
    boolean teen = number % 100 / 10 == 1;
    String ending =
        switch (teen ? 0 : (int) (number % 10)) {
          case 1 -> "st";
          case 2 -> "nd";
          case 3 -> "rd";
          default -> "th";
        };
    return number + ending;
  }

  @Override
  public void close() {
    health.close();
  }
}
