package io.millrace.inference.serving;

import java.time.Duration;
import java.util.Comparator;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The domains whose versions are in memory, within a limit of bytes.
 *
 * <p>A domain is loaded when it is first asked, or when a version arrives and there is room. Where
 * the limit is exceeded, the domains are unloaded that were asked least recently; the one asked
 * last stays in any case. Loading and unloading have threads of their own: no request's thread
 * waits for them, and no lock of one domain is held while another one's is taken.
 */
final class LoadedDomains {
  private static final Logger LOG = LoggerFactory.getLogger(LoadedDomains.class);
  private static final int THREADS = 2;

  /** A domain whose versions can be loaded and unloaded. */
  interface Member {
    String name();

    /** Loads what its rollout names, and lets it answer. */
    void load();

    /** Unloads all; each version closes with its last request. */
    void unload();

    /** When it was asked last, as {@link System#nanoTime}. */
    long askedAt();
  }

  private final long maxBytes;
  private final Map<Member, Long> bytes = new ConcurrentHashMap<>();
  private final Map<Member, CompletableFuture<Void>> loading = new ConcurrentHashMap<>();
  private final AtomicLong total = new AtomicLong();
  private final AtomicLong loads = new AtomicLong();
  private final AtomicBoolean evicting = new AtomicBoolean();
  private volatile boolean wasFull;

  /** Its queue holds a domain once, so at most all of them. */
  private final ThreadPoolExecutor threads =
      new ThreadPoolExecutor(
          THREADS,
          THREADS,
          1,
          TimeUnit.MINUTES,
          new LinkedBlockingQueue<>(),
          work -> {
            Thread thread = new Thread(work, "load");
            thread.setDaemon(true);
            return thread;
          });

  /**
   * @param maxBytes of what is loaded, as {@link LiveVersions#loadedBytes} counts it
   */
  LoadedDomains(long maxBytes) {
    this.maxBytes = maxBytes;
    threads.allowCoreThreadTimeOut(true);
  }

  /** Whether a domain may be loaded that nobody asked yet. */
  boolean hasRoom() {
    return total.get() < maxBytes;
  }

  /** Whether more was loaded at any time than the limit allows. */
  boolean wasFull() {
    return wasFull;
  }

  /**
   * Loads a domain that was asked. Calls meanwhile for the same domain share one loading.
   *
   * @return completes on the thread that loads, whether it succeeded or not; at once where no more
   *     domains are loaded
   */
  CompletableFuture<Void> load(Member domain) {
    CompletableFuture<Void> mine = new CompletableFuture<>();
    CompletableFuture<Void> other = loading.putIfAbsent(domain, mine);
    if (other != null) {
      return other;
    }
    try {
      threads.execute(
          () -> {
            try {
              domain.load();
            } catch (RuntimeException | Error e) {
              LOG.error("domain {}: it could not be loaded", domain.name(), e);
            } finally {
              loading.remove(domain);
              mine.complete(null);
            }
          });
    } catch (RejectedExecutionException e) {
      LOG.debug("closing before domain {} was loaded", domain.name(), e);
      loading.remove(domain);
      mine.complete(null);
    }
    return mine;
  }

  /** A domain was loaded that was not. */
  void loaded() {
    loads.incrementAndGet();
  }

  /** A domain that is loaded has this many bytes now. The caller may hold the domain's lock. */
  void count(Member domain, long now) {
    Long before = bytes.put(domain, now);
    long sum = total.addAndGet(now - (before == null ? 0 : before));
    if (sum > maxBytes) {
      wasFull = true;
    }
    if (sum > maxBytes && bytes.size() > 1 && evicting.compareAndSet(false, true)) {
      try {
        threads.execute(this::evict);
      } catch (RejectedExecutionException e) {
        LOG.debug("closing before domains were unloaded", e);
      }
    }
  }

  /** A domain is not loaded any more. The caller may hold the domain's lock. */
  void forget(Member domain) {
    Long before = bytes.remove(domain);
    total.addAndGet(before == null ? 0 : -before);
  }

  private void evict() {
    evicting.set(false);
    while (total.get() > maxBytes && bytes.size() > 1) {
      // nanoTime may be negative and may overflow: only differences of it can be compared.
      long now = System.nanoTime();
      Optional<Member> least =
          bytes.keySet().stream()
              .filter(domain -> !loading.containsKey(domain))
              .max(Comparator.comparingLong(domain -> now - domain.askedAt()));
      if (least.isEmpty()) {
        return;
      }
      least.get().unload();
      LOG.debug("domain {}: unloaded, to make room", least.get().name());
    }
  }

  /** Number of the domains that are loaded. */
  int size() {
    return bytes.size();
  }

  /** Bytes of what is loaded. */
  long bytes() {
    return total.get();
  }

  /** How often a domain was loaded, since the start. */
  long loads() {
    return loads.get();
  }

  /**
   * Loads and unloads no more, and waits for what is under way.
   *
   * @return false where it still runs when the time is up
   */
  boolean close(Duration timeout) {
    threads.shutdownNow();
    loading.values().forEach(waiting -> waiting.complete(null));
    try {
      return threads.awaitTermination(Math.max(1, timeout.toNanos()), TimeUnit.NANOSECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }
}
