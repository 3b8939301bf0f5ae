package io.millrace.inference.decide;

import io.millrace.client.kafka.Connection;
import io.millrace.client.rollout.RolloutWriter;
import io.millrace.inference.decide.RolloutFailedException.Reason;
import io.millrace.inference.serving.AdapterCatalog;
import io.millrace.inference.serving.Rollouts;
import io.millrace.inference.store.LogPlace;
import io.millrace.inference.store.LoggedEvent;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.rollout.Rollout;
import io.millrace.schemas.rollout.RolloutDecisions;
import io.millrace.schemas.rollout.RolloutHistory;
import io.millrace.schemas.rollout.RolloutRefusedException;
import java.time.Duration;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.BooleanSupplier;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Decides about rollouts for clients: makes an event from the state known here, appends it to the
 * topic {@code rollouts}, and waits until this process has read it back. Of two decisions, the
 * order in the topic says which was first.
 */
public final class RolloutDesk {
  private static final Logger LOG = LoggerFactory.getLogger(RolloutDesk.class);
  private static final Duration TIMEOUT = Duration.ofSeconds(10);
  private static final int MAX_WAITING = 64;

  private final AdapterCatalog catalog;
  private final Connection connection;
  private final BooleanSupplier caughtUp;

  /** One thread: an append may block for seconds. */
  private final ThreadPoolExecutor appends = bounded("rollout-append");

  /** Another one: a history takes long to read where much was published. */
  private final ThreadPoolExecutor readings = bounded("rollout-read");

  private RolloutWriter writer;

  /**
   * @param caughtUp whether this process has read both topics to the ends they had at the start
   */
  public RolloutDesk(AdapterCatalog catalog, Connection connection, BooleanSupplier caughtUp) {
    this.catalog = catalog;
    this.connection = connection;
    this.caughtUp = caughtUp;
  }

  private static ThreadPoolExecutor bounded(String name) {
    return new ThreadPoolExecutor(
        1,
        1,
        0,
        TimeUnit.SECONDS,
        new ArrayBlockingQueue<>(MAX_WAITING),
        work -> thread(name, work));
  }

  private static Thread thread(String name, Runnable work) {
    Thread thread = new Thread(work, name);
    thread.setDaemon(true);
    return thread;
  }

  /** Whether a domain has a version or a rollout event here. */
  public boolean knows(String domain) {
    return catalog.rollouts().knows(domain) || catalog.find(domain).isPresent();
  }

  /**
   * The first name, of the domains that have a version or a rollout event here, that is no smaller
   * than this one; null where there is none.
   */
  public String ceiling(String name) {
    return smaller(catalog.rollouts().domains().ceiling(name), catalog.domains().ceilingKey(name));
  }

  /** As {@link #ceiling}, the first one that is greater. */
  public String higher(String name) {
    return smaller(catalog.rollouts().domains().higher(name), catalog.domains().higherKey(name));
  }

  private static String smaller(String one, String other) {
    if (one == null || other == null) {
      return one == null ? other : one;
    }
    return one.compareTo(other) <= 0 ? one : other;
  }

  /** The state of a domain's rollout. */
  public Rollout rollout(String domain) {
    return catalog.rollouts().of(domain);
  }

  /**
   * A part of a domain's events in the order of the topic; see {@link Rollouts#history}.
   *
   * @return fails with {@link RolloutFailedException} where too many histories are being read
   */
  public CompletableFuture<Rollouts.Part> history(
      String domain, LogPlace after, Predicate<LoggedEvent> isWithin, int limit) {
    try {
      return CompletableFuture.supplyAsync(
          () -> catalog.rollouts().history(domain, after, isWithin, limit), readings);
    } catch (RejectedExecutionException e) {
      return CompletableFuture.failedFuture(
          new RolloutFailedException(
              Reason.NO_ANSWER, "too many histories are being read; try again"));
    }
  }

  /**
   * Makes a decision.
   *
   * @return completes with the event once this process has read it back and it had an effect; fails
   *     with {@link RolloutFailedException} where it had none or did not come back in 10 seconds
   */
  public CompletableFuture<RolloutHistory.Entry> decide(RolloutRequest request) {
    long deadline = System.nanoTime() + TIMEOUT.toNanos();
    try {
      return CompletableFuture.supplyAsync(() -> append(request, deadline), appends)
          .thenCompose(decided -> decided)
          .orTimeout(TIMEOUT.toMillis(), TimeUnit.MILLISECONDS)
          .handle(
              (entry, failure) -> {
                if (failure != null) {
                  throw failed(failure);
                }
                if (entry.objection() != null) {
                  throw RolloutFailedException.stale(entry.event().getBasedOn(), entry.after());
                }
                return entry;
              });
    } catch (RejectedExecutionException e) {
      return CompletableFuture.failedFuture(
          new RolloutFailedException(
              Reason.NO_ANSWER, "too many decisions are waiting for the log; try again"));
    }
  }

  private CompletableFuture<RolloutHistory.Entry> append(RolloutRequest request, long deadline) {
    // The client has been told that the outcome is unknown, and may have asked for another
    // decision.
    if (System.nanoTime() - deadline > 0) {
      throw new RolloutFailedException(Reason.NO_ANSWER, "it waited too long");
    }
    RolloutEvent event = event(request);
    Rollouts rollouts = catalog.rollouts();
    CompletableFuture<RolloutHistory.Entry> back = rollouts.await(event.getEventId());
    back.orTimeout(TIMEOUT.toMillis(), TimeUnit.MILLISECONDS)
        .whenComplete((entry, failure) -> rollouts.forget(event.getEventId()));
    try {
      if (writer == null) {
        writer = new RolloutWriter(connection);
      }
      writer
          .append(event, request.trace())
          .whenComplete(
              (metadata, failure) -> {
                if (failure != null) {
                  back.completeExceptionally(failure);
                }
              });
    } catch (RuntimeException e) {
      back.completeExceptionally(e);
    }
    return back;
  }

  private RolloutEvent event(RolloutRequest request) {
    if (!catalog.isLoaded() || !caughtUp.getAsBoolean()) {
      throw new RolloutFailedException(
          Reason.NO_ANSWER,
          "this process has not read the log to its end yet; /health/ready says why");
    }
    if (!knows(request.domain())) {
      throw new RolloutFailedException(Reason.UNKNOWN_DOMAIN, "unknown domain");
    }
    Rollout now = rollout(request.domain());
    if (request.revision() != null && request.revision() != now.revision()) {
      throw RolloutFailedException.stale(request.revision(), now);
    }
    try {
      return request.decide(
          new RolloutDecisions(
              now, catalog.versions(request.domain()), request.author(), request.reason()));
    } catch (RolloutRefusedException e) {
      throw new RolloutFailedException(Reason.REFUSED, e.getMessage());
    }
  }

  private static RolloutFailedException failed(Throwable failure) {
    Throwable cause = failure instanceof CompletionException ? failure.getCause() : failure;
    if (cause instanceof RolloutFailedException known) {
      return known;
    }
    boolean late = cause instanceof TimeoutException;
    LOG.warn("a decision about a rollout did not come back from the log", cause);
    return new RolloutFailedException(
        Reason.NO_ANSWER,
        late
            ? "the log does not answer in time; whether the decision counts is not known, "
                + "/v1/rollouts will say"
            : "Kafka or the schema registry did not take the decision; /v1/rollouts will say"
                + " whether it counts",
        cause);
  }

  /**
   * Takes no more decisions, and ends within a time.
   *
   * @return false where an append is still under way when the time is up
   */
  public boolean close(Duration timeout) {
    long deadline = System.nanoTime() + timeout.toNanos();
    appends.shutdownNow();
    readings.shutdownNow();
    try {
      if (!appends.awaitTermination(deadline - System.nanoTime(), TimeUnit.NANOSECONDS)
          || !readings.awaitTermination(deadline - System.nanoTime(), TimeUnit.NANOSECONDS)) {
        return false;
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
    if (writer != null) {
      // Closing waits for Kafka to take what was sent; the shutdown does not wait for that.
      thread("rollout-close", writer::close).start();
    }
    return true;
  }
}
