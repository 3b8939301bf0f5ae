package io.millrace.inference.serving;

import io.millrace.inference.metrics.ServingMetrics;
import io.millrace.svft.adapter.Merge;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Merges adapters into the weights for the domains with the most requests, within a limit of
 * memory, on a thread of its own.
 *
 * <p>A merged version answers faster and takes the memory of a whole model. A domain is chosen
 * where it has so many requests that merging pays, and there is memory for it, or the domains that
 * it would replace have less than half as many requests. Versions of plans that wait come first.
 * They may exceed the limit by one version, since the version before them keeps its weights until
 * they serve.
 *
 * <p>It looks only at domains that were asked in the last minutes and at those with merged weights;
 * while no domain is asked, it sleeps.
 *
 * <p>It works in pieces of one or two milliseconds, while no request is waiting or running. Where
 * requests leave too little time for that, it works beside them with pauses.
 */
public final class Merger {
  private static final Logger LOG = LoggerFactory.getLogger(Merger.class);

  /** How long a version waits at most to be merged before it serves unmerged. */
  private static final Duration MAX_WAIT = Duration.ofMillis(300);

  /** How often the request rates are measured. */
  private static final Duration TRAFFIC_INTERVAL = Duration.ofMillis(250);

  /** How often it checks for requests between two pieces of work. */
  private static final Duration IDLE_INTERVAL = Duration.ofNanos(200_000);

  private static final Comparator<LiveVersions> LEAST_FIRST =
      Comparator.comparingDouble(domain -> domain.traffic().recent());

  private final long maxBytes;
  private final Duration maxWait;
  private final ServingMetrics metrics;
  private final BlockingQueue<LiveVersions> awaited = new LinkedBlockingQueue<>();
  private final Thread thread = new Thread(this::run, "merge");

  /** Moves pointers. Its own thread does, so that a slow merge delays no swap. */
  private final ScheduledExecutorService swaps =
      Executors.newSingleThreadScheduledExecutor(
          task -> {
            Thread swapping = new Thread(task, "swap");
            swapping.setDaemon(true);
            return swapping;
          });

  /** The domains that were asked recently. */
  private final Set<LiveVersions> asked = ConcurrentHashMap.newKeySet();

  /** The domains that were chosen, and keep memory for merged weights. Owned by the thread. */
  private final Set<LiveVersions> keeping = new HashSet<>();

  private AdapterLoader loader;
  private BooleanSupplier isIdle;
  private long measuredAt = System.nanoTime();
  private volatile boolean closing;

  /**
   * @param maxBytes that merged weights may take; 0 to merge nothing
   */
  public Merger(long maxBytes, ServingMetrics metrics) {
    this(maxBytes, MAX_WAIT, metrics);
  }

  /**
   * @param maxWait how long a version waits at most to be merged before it serves unmerged
   */
  Merger(long maxBytes, Duration maxWait, ServingMetrics metrics) {
    this.maxBytes = maxBytes;
    this.maxWait = maxWait;
    this.metrics = metrics;
    thread.setDaemon(true);
  }

  /**
   * Begins to merge.
   *
   * @param isIdle whether no request is there
   */
  void start(AdapterLoader loader, BooleanSupplier isIdle) {
    this.loader = loader;
    this.isIdle = isIdle;
    if (maxBytes > 0) {
      thread.start();
    }
  }

  /** How long a version waits at most to be merged before it serves unmerged. */
  Duration maxWait() {
    return maxWait;
  }

  /** Whether it merges anything. */
  boolean isRunning() {
    return thread.isAlive();
  }

  /** A domain is asked that was quiet: its request rate is measured from now on. */
  void watch(LiveVersions domain) {
    if (maxBytes > 0 && asked.add(domain)) {
      domain.traffic().watch();
      awaited.add(domain);
    }
  }

  /**
   * A plan waits for its versions to be merged: they are merged first.
   *
   * @param whenOverdue called after {@link #maxWait}, on the thread that swaps
   */
  void await(LiveVersions domain, Runnable whenOverdue) {
    awaited.add(domain);
    swap(domain, whenOverdue, maxWait);
  }

  /**
   * Runs the swap to a plan that has waited, on the thread that swaps. The merging thread must not
   * do that: its priority is low, and a swap must not wait until it gets a processor.
   *
   * @param swap moves the pointer
   */
  void swap(LiveVersions domain, Runnable swap) {
    swap(domain, swap, Duration.ZERO);
  }

  private void swap(LiveVersions domain, Runnable change, Duration after) {
    Runnable task =
        () -> {
          try {
            change.run();
          } catch (RuntimeException | Error e) {
            LOG.error("domain {}: a version that waited does not serve", domain.domain(), e);
          }
        };
    try {
      swaps.schedule(task, after.toNanos(), TimeUnit.NANOSECONDS);
    } catch (RejectedExecutionException e) {
      LOG.debug("domain {}: closing before a version that waited served", domain.domain());
    }
  }

  private void run() {
    BackgroundThreads.lowerOwnPriority();
    List<LiveVersions> waiting = new ArrayList<>();
    while (!closing) {
      try {
        measureTraffic();
        renew(waiting);
        Optional<LiveVersions> next = waiting.stream().findFirst().or(this::busiestUnmerged);
        if (next.isPresent()) {
          next.get().toMerge().ifPresent(version -> merge(next.get(), version, waiting));
        } else {
          LiveVersions woken =
              asked.isEmpty()
                  ? awaited.take()
                  : awaited.poll(TRAFFIC_INTERVAL.toMillis(), TimeUnit.MILLISECONDS);
          if (woken != null) {
            waiting.add(woken);
          }
        }
      } catch (InterruptedException e) {
        return;
      } catch (RuntimeException | Error e) {
        LOG.error("merging failed; versions serve unmerged", e);
      }
    }
  }

  /** Adds the domains that began to wait, and removes those that no longer do. */
  private void renew(List<LiveVersions> waiting) {
    awaited.drainTo(waiting);
    waiting.removeIf(domain -> !domain.isWaiting());
  }

  private void measureTraffic() {
    long now = System.nanoTime();
    if (now - measuredAt < TRAFFIC_INTERVAL.toNanos()) {
      return;
    }
    double seconds = (now - measuredAt) / 1e9;
    measuredAt = now;
    // A copy, because the set's iterator would meet a domain that it has put back once more.
    for (LiveVersions domain : List.copyOf(asked)) {
      domain.traffic().pass(seconds);
      asked.remove(domain);
      if (!domain.traffic().unwatchIfQuiet()) {
        asked.add(domain);
      }
    }
  }

  /** The domain to merge next, after making room for it; empty where there is none. */
  private Optional<LiveVersions> busiestUnmerged() {
    keeping.removeIf(domain -> !domain.isChosen() && domain.mergedBytes() == 0);
    List<LiveVersions> busy = new ArrayList<>(asked);
    busy.removeIf(domain -> !domain.traffic().isWorthMerging() || domain.assigned().isEmpty());
    busy.sort(LEAST_FIRST.reversed());
    for (LiveVersions domain : busy) {
      if (domain.toMerge().isPresent() && makeRoom(domain)) {
        return Optional.of(domain);
      }
    }
    return Optional.empty();
  }

  private boolean makeRoom(LiveVersions domain) {
    List<LiveVersions> leastFirst = new ArrayList<>(keeping);
    leastFirst.sort(LEAST_FIRST);
    long free = maxBytes - loader.mergedBytes();
    for (LiveVersions each : leastFirst) {
      free -= each == domain ? each.mergedBytes() : bytes(each);
    }
    List<LiveVersions> evicted = new ArrayList<>();
    for (LiveVersions each : leastFirst) {
      if (free >= 0 || each.traffic().recent() > domain.traffic().recent() / 2) {
        break;
      }
      if (each != domain && bytes(each) > 0) {
        free += bytes(each);
        evicted.add(each);
      }
    }
    if (free < 0) {
      return false;
    }
    evicted.forEach(LiveVersions::unmerge);
    evicted.forEach(keeping::remove);
    domain.choose();
    keeping.add(domain);
    return true;
  }

  /** Bytes that a domain holds, or will hold again once its next version is merged. */
  private long bytes(LiveVersions domain) {
    return Math.max(domain.mergedBytes(), domain.isChosen() ? loader.mergedBytes() : 0);
  }

  private void merge(LiveVersions domain, LiveAdapter version, List<LiveVersions> waiting) {
    long begun = System.nanoTime();
    long until = begun + spread(waiting.size()).toNanos();
    try (Merge merge = loader.merge(version.classifier().adapter())) {
      boolean more = true;
      while (more) {
        measureTraffic();
        renew(waiting);
        if (closing || !domain.wantsMerged(version)) {
          return;
        }
        long pieceBegun = System.nanoTime();
        more = merge.step();
        if (more) {
          giveWay(System.nanoTime() - pieceBegun, until, merge.left());
        }
      }
      metrics.merged(Duration.ofNanos(System.nanoTime() - begun));
      domain.merged(version, merge.finish());
    } catch (RuntimeException | Error e) {
      domain.giveUpMerging(version);
      throw e;
    }
  }

  /** How long one merge may take, so that all versions that wait are merged in time. */
  private Duration spread(int waiting) {
    return maxWait.multipliedBy(4).dividedBy(5L * Math.max(1, waiting));
  }

  /**
   * Waits until there is no request, but not longer than that the remaining pieces, each with a
   * pause of its own length, fit into the remaining time.
   */
  private void giveWay(long pieceNanos, long until, int left) {
    long due = until - 2 * left * pieceNanos;
    for (long now = System.nanoTime(); now < due && !closing; now = System.nanoTime()) {
      if (isIdle.getAsBoolean()) {
        return;
      }
      LockSupport.parkNanos(Math.min(due - now, IDLE_INTERVAL.toNanos()));
    }
  }

  /** Asks it to stop; a merge that is under way is given up. */
  public void beginClose() {
    closing = true;
  }

  /**
   * Waits for it to stop.
   *
   * @return false where it still works when the time is up
   */
  public boolean awaitClosed(Duration timeout) {
    closing = true;
    thread.interrupt();
    try {
      TimeUnit.NANOSECONDS.timedJoin(thread, Math.max(1, timeout.toNanos()));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    swaps.shutdownNow();
    return !thread.isAlive();
  }
}
