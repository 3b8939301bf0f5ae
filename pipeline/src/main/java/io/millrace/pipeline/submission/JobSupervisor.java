package io.millrace.pipeline.submission;

import io.millrace.client.process.UsageException;
import io.millrace.pipeline.submission.JobHealth.Failure;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import org.apache.flink.api.common.JobID;
import org.apache.flink.api.common.JobStatus;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Stays with a job until it has ended. A Flink session without high availability forgets its jobs
 * when its job manager ends; the supervisor submits the job again, from the newest checkpoint of
 * its lineage, once a session answers that does not know it. For one thread.
 *
 * <p>What a restart can mend, Flink mends itself. So a job that has failed for good is not started
 * again.
 */
public final class JobSupervisor implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(JobSupervisor.class);
  private static final Duration BETWEEN_LOOKS = Duration.ofSeconds(1);

  /** A job manager that has just started may know its jobs a moment later. */
  private static final int LOOKS_UNTIL_LOST = 3;

  /** Lost so often without a checkpoint in between, the job is what ends the job manager. */
  private static final int MOST_LOSSES = 10;

  private static final Duration LONGEST_PAUSE = Duration.ofMinutes(1);

  /** How long no session may answer. */
  private static final Duration PATIENCE = Duration.ofMinutes(30);

  /** How a supervised job came to its end. */
  public enum End {
    /** Stopped with a savepoint, or drained. */
    FINISHED,
    CANCELED,
    /** The supervisor was asked to end; the job goes on. */
    LEFT
  }

  private final FlinkSession session;
  private final String name;
  private final Supplier<FlinkJob> submit;
  private final Function<JobID, JobHealth> healthOf;
  private final Consumer<String> say;
  private JobID job;
  private JobHealth health;
  private long lastFailure = Long.MIN_VALUE;
  private int absent;
  private int losses;
  private Optional<Long> silentSince = Optional.empty();

  /**
   * @param session stays open
   * @param name of the job
   * @param job its id at first
   * @param submit submits the job from the newest state of its lineage
   * @param healthOf the health of a job, for the supervisor to close
   * @param say takes each message, one line
   */
  public JobSupervisor(
      FlinkSession session,
      String name,
      JobID job,
      Supplier<FlinkJob> submit,
      Function<JobID, JobHealth> healthOf,
      Consumer<String> say) {
    this.session = session;
    this.name = name;
    this.submit = submit;
    this.healthOf = healthOf;
    this.say = say;
    take(job);
  }

  private void take(JobID next) {
    if (health != null) {
      health.close();
    }
    job = next;
    health = healthOf.apply(next);
    lastFailure = Long.MIN_VALUE;
    absent = 0;
  }

  /**
   * Supervises it until it has ended.
   *
   * @param stop completes when the supervisor is to leave the job
   * @throws IllegalStateException where the job failed for good, was lost too often, or no session
   *     answers any more
   * @throws UsageException where a lost job has no state to go on from
   */
  public End supervise(CompletableFuture<?> stop) throws InterruptedException {
    while (!pause(stop, BETWEEN_LOOKS)) {
      Optional<JobStatus> status;
      try {
        status = session.status(job);
      } catch (IllegalStateException e) {
        silent(e);
        continue;
      }
      if (silentSince.isPresent()) {
        silentSince = Optional.empty();
        tell("Flink answers again");
      }
      if (status.isPresent()) {
        absent = 0;
        Optional<End> end = look(status.get());
        if (end.isPresent()) {
          return end.get();
        }
      } else if (++absent >= LOOKS_UNTIL_LOST && !adopt()) {
        if (pause(stop, lost())) {
          return End.LEFT;
        }
        // Someone may have been quicker.
        if (!adopt()) {
          submitAgain();
        }
      }
    }
    return End.LEFT;
  }

  private void silent(IllegalStateException e) {
    long now = System.nanoTime();
    if (silentSince.isEmpty()) {
      silentSince = Optional.of(now);
      tell(e.getMessage() + "; waiting for it");
    } else if (now - silentSince.get() > PATIENCE.toNanos()) {
      throw new IllegalStateException(
          e.getMessage() + ", for %d minutes".formatted(PATIENCE.toMinutes()), e);
    }
  }

  private Optional<End> look(JobStatus status) {
    try {
      List<Failure> failures = health.failures();
      for (Failure failure : failures) {
        if (failure.timestamp() > lastFailure) {
          lastFailure = failure.timestamp();
          if (status != JobStatus.FAILED) {
            tell("the job restarts: " + failure);
          }
        }
      }
      if (losses > 0 && health.checkpoints().completed() > 0) {
        losses = 0;
      }
      if (status == JobStatus.FAILED) {
        throw new IllegalStateException(
            "the job failed for good: "
                + (failures.isEmpty() ? "Flink says no more" : failures.get(failures.size() - 1)));
      }
    } catch (TimeoutException e) {
      LOG.info("Not known whether the job fails", e);
      if (status == JobStatus.FAILED) {
        throw new IllegalStateException("the job failed for good", e);
      }
    }
    return switch (status) {
      case FINISHED -> Optional.of(End.FINISHED);
      case CANCELED -> Optional.of(End.CANCELED);
      default -> Optional.empty();
    };
  }

  /**
   * Whether the job runs under another id, because someone else has submitted it, or that is not
   * known.
   */
  private boolean adopt() {
    List<JobID> others;
    try {
      others = session.running(name);
    } catch (IllegalStateException e) {
      silent(e);
      return true;
    }
    if (others.isEmpty()) {
      return false;
    }
    take(others.get(0));
    tell("job %s runs as %s now".formatted(name, job));
    return true;
  }

  /** Counts a loss; how long to wait before the job is submitted again. */
  private Duration lost() {
    losses++;
    if (losses > MOST_LOSSES) {
      throw new IllegalStateException(
          "Flink has lost the job %d times, and no checkpoint was completed in between"
              .formatted(MOST_LOSSES));
    }
    if (losses == 1) {
      return Duration.ZERO;
    }
    Duration pause = BETWEEN_LOOKS.multipliedBy(1L << (losses - 2));
    return pause.compareTo(LONGEST_PAUSE) > 0 ? LONGEST_PAUSE : pause;
  }

  private void submitAgain() {
    tell("Flink does not know the job any more: its job manager has started anew");
    try {
      take(submit.get().id());
    } catch (UsageException e) {
      throw e;
    } catch (IllegalStateException e) {
      tell("not submitted again yet: " + e.getMessage());
    }
  }

  private static boolean pause(CompletableFuture<?> stop, Duration time)
      throws InterruptedException {
    try {
      stop.get(time.toMillis(), TimeUnit.MILLISECONDS);
      return true;
    } catch (TimeoutException e) {
      return false;
    } catch (ExecutionException e) {
      return true;
    }
  }

  private void tell(String line) {
    LOG.warn(line);
    say.accept(line);
  }

  @Override
  public void close() {
    health.close();
  }
}
