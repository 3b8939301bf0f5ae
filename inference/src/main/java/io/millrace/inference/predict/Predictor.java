package io.millrace.inference.predict;

import io.millrace.inference.metrics.ServingMetrics;
import io.millrace.inference.predict.PredictionException.Reason;
import io.millrace.inference.serving.AdapterCatalog;
import io.millrace.inference.serving.LiveAdapter;
import io.millrace.inference.serving.PinnedVersions;
import io.millrace.inference.serving.ServedDomain;
import io.millrace.inference.store.StoredVersion;
import io.millrace.schemas.DomainPath;
import io.millrace.svft.adapter.Classifier;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.Stream;

/**
 * Predicts with the versions that serve. The number of forward passes at once and the number of
 * texts that wait are bounded.
 *
 * <p>Texts that wait are scored together, which is faster than a pass for each: those of one
 * version, and those of any versions that {@linkplain Classifier#sharesPass share a pass}, whatever
 * their domains. No text waits for others to arrive. A free thread takes the text that has waited
 * longest, and with it others that fit it, from anywhere in the queue. So no domain delays another.
 *
 * <p>A text is scored by the version that serves when it arrives, even if another one is swapped in
 * while it waits. Where its domain is not loaded, it waits for that first; other domains' texts do
 * not.
 *
 * <p>Where a domain has no adapter, the nearest domain above it that has one answers, and else the
 * base model. A domain whose adapter cannot be loaded is not passed over: who answers does not
 * depend on a fault.
 */
public final class Predictor {
  /** Longer batches are no faster per text, and delay the first text by the last. */
  private static final int MAX_CHARACTERS = 1000;

  /**
   * Values of the adapters in one pass, together: they are copied for it. A plain SVFT adapter of
   * MiniLM has 14 thousand, LoRA of rank 8 has 330 thousand.
   */
  private static final long MAX_VALUES = 8_000_000;

  private record Waiting(
      LiveAdapter adapter, String text, CompletableFuture<Prediction> prediction) {
    Classifier classifier() {
      return adapter.classifier();
    }
  }

  private final AdapterCatalog catalog;
  private final int maxQueued;
  private final int maxBatch;
  private final Fallback fallback;
  private final ServingMetrics metrics;
  private final List<Thread> workers = new ArrayList<>();
  private final LongAdder served = new LongAdder();

  /** Texts that wait for their domain to be loaded. */
  private final AtomicInteger loading = new AtomicInteger();

  private final ReentrantLock lock = new ReentrantLock();
  private final Condition arrived = lock.newCondition();
  private final Condition allLoaded = lock.newCondition();

  // Changed under the lock; read by any thread.
  private final Queue<Waiting> queue = new ArrayDeque<>();
  private volatile int waiting;
  private volatile int idle;
  private boolean closed;

  /**
   * @param concurrency forward passes at once
   * @param maxQueued texts that may wait for a pass
   * @param maxBatch texts in one pass, at most
   * @param fallback what answers for a domain without an adapter
   */
  public Predictor(
      AdapterCatalog catalog,
      int concurrency,
      int maxQueued,
      int maxBatch,
      Fallback fallback,
      ServingMetrics metrics) {
    this.catalog = catalog;
    this.maxQueued = maxQueued;
    this.maxBatch = maxBatch;
    this.fallback = fallback;
    this.metrics = metrics;
    for (int i = 1; i <= concurrency; i++) {
      Thread worker = new Thread(this::work, "predict-" + i);
      worker.setDaemon(true);
      workers.add(worker);
    }
    workers.forEach(Thread::start);
  }

  /**
   * Scores a text.
   *
   * @param key the request's key, which decides whether a candidate answers it
   * @return completes with the prediction; fails with {@link PredictionException} where there is
   *     none
   */
  public CompletableFuture<Prediction> predict(String domain, String text, String key) {
    return predict(domain, text, key, OptionalLong.empty(), ServedDomain::acquire);
  }

  /**
   * Scores several texts. Each may be for another domain; all texts that one domain answers are
   * answered by the versions that served it when this was called, and wait together.
   *
   * @return per text as {@link #predict(String, String, String)}, in their order
   */
  public List<CompletableFuture<Prediction>> predict(List<PredictRequest> requests) {
    return predict(requests, OptionalLong.empty());
  }

  /**
   * As {@link #predict(List)}.
   *
   * @param version the number of the one that has to answer, which must serve; then no domain above
   *     answers. Empty where the rollout decides
   */
  public List<CompletableFuture<Prediction>> predict(
      List<PredictRequest> requests, OptionalLong version) {
    PinnedVersions versions = new PinnedVersions(version);
    List<CompletableFuture<Prediction>> predictions = new ArrayList<>();
    // No pass begins before all of them wait.
    lock.lock();
    try {
      for (PredictRequest request : requests) {
        predictions.add(
            predict(request.domain(), request.text(), request.key(), version, versions::acquire));
      }
    } finally {
      lock.unlock();
      CompletableFuture.allOf(predictions.toArray(CompletableFuture[]::new))
          .whenComplete((done, failure) -> versions.close());
    }
    return predictions;
  }

  private CompletableFuture<Prediction> predict(
      String domain, String text, String key, OptionalLong version, Versions versions) {
    if (!catalog.isLoaded()) {
      return failed(Reason.NOT_LOADED, "the model is still loading");
    }
    Iterator<String> names = version.isPresent() ? Stream.of(domain).iterator() : names(domain);
    return predict(new Sought(domain, text, key, version, versions, names));
  }

  /** Gives the version of a domain that answers a key, as {@link ServedDomain#acquire}. */
  private interface Versions {
    LiveAdapter acquire(ServedDomain domain, String key);
  }

  /**
   * A text whose version is sought.
   *
   * @param version the one that has to answer; empty where the rollout decides
   * @param names the domains that may answer and were not tried yet, in order
   */
  private record Sought(
      String domain,
      String text,
      String key,
      OptionalLong version,
      Versions versions,
      Iterator<String> names) {
    LiveAdapter acquire(ServedDomain served) {
      return versions.acquire(served, key);
    }
  }

  private Iterator<String> names(String domain) {
    Stream<String> above =
        fallback == Fallback.PARENT ? DomainPath.above(domain).stream() : Stream.empty();
    return Stream.concat(Stream.of(domain), above).iterator();
  }

  private CompletableFuture<Prediction> predict(Sought sought) {
    while (sought.names().hasNext()) {
      ServedDomain served = catalog.find(sought.names().next()).orElse(null);
      if (served == null) {
        continue;
      }
      LiveAdapter adapter = sought.acquire(served);
      if (adapter == null && !served.isLoaded()) {
        return predictOnceLoaded(sought, served);
      }
      if (!isPassedOver(sought, served, adapter)) {
        return predict(sought, served, adapter);
      }
    }
    if (fallback == Fallback.NONE || sought.version().isPresent()) {
      return failed(Reason.UNKNOWN_DOMAIN, "unknown domain " + quoted(sought.domain()));
    }
    LiveAdapter base = catalog.acquireBase();
    return base == null
        ? failed(Reason.NOT_LOADED, "the process is ending")
        : predict(base, sought.text());
  }

  private boolean isPassedOver(Sought sought, ServedDomain served, LiveAdapter adapter) {
    return adapter == null
        && sought.version().isEmpty()
        && fallback == Fallback.PARENT
        && served.isVacant();
  }

  /** Loads the domain first, on another thread. */
  private CompletableFuture<Prediction> predictOnceLoaded(Sought sought, ServedDomain served) {
    if (loading.incrementAndGet() > maxQueued) {
      loading.decrementAndGet();
      return failed(Reason.BUSY, "too many predictions are waiting; try again");
    }
    return served
        .startLoading()
        .thenCompose(
            done -> {
              LiveAdapter adapter = sought.acquire(served);
              CompletableFuture<Prediction> prediction =
                  isPassedOver(sought, served, adapter)
                      ? predict(sought)
                      : predict(sought, served, adapter);
              endLoading();
              return prediction;
            });
  }

  private void endLoading() {
    if (loading.decrementAndGet() == 0) {
      lock.lock();
      try {
        allLoaded.signalAll();
      } finally {
        lock.unlock();
      }
    }
  }

  private CompletableFuture<Prediction> predict(
      Sought sought, ServedDomain served, LiveAdapter found) {
    // It may have come since it was looked for.
    LiveAdapter adapter = found == null ? sought.acquire(served) : found;
    if (adapter == null && sought.version().isPresent()) {
      return failed(
          Reason.NOT_SERVED,
          "version %d of domain %s does not serve here"
              .formatted(sought.version().getAsLong(), quoted(sought.domain())));
    }
    if (adapter == null) {
      return failed(
          Reason.NOT_LOADED, "no version of domain " + quoted(served.name()) + " is loaded");
    }
    served.countRequest();
    return predict(adapter, sought.text());
  }

  private CompletableFuture<Prediction> predict(LiveAdapter adapter, String text) {
    Waiting request = new Waiting(adapter, text, new CompletableFuture<>());
    if (!enqueue(request)) {
      adapter.release();
      return failed(Reason.BUSY, "too many predictions are waiting; try again");
    }
    return request.prediction();
  }

  private boolean enqueue(Waiting request) {
    lock.lock();
    try {
      if (closed || (queue.size() >= maxQueued && idle <= queue.size())) {
        return false;
      }
      queue.add(request);
      waiting = queue.size();
      arrived.signal();
      return true;
    } finally {
      lock.unlock();
    }
  }

  private void work() {
    for (List<Waiting> batch = take(); !batch.isEmpty(); batch = take()) {
      try {
        score(batch);
      } finally {
        batch.forEach(request -> request.adapter().release());
      }
    }
  }

  /** The next texts to score in one pass. Empty once it is closed and all are scored. */
  private List<Waiting> take() {
    lock.lock();
    try {
      idle++;
      while (queue.isEmpty() && !closed) {
        arrived.awaitUninterruptibly();
      }
      idle--;
      List<Waiting> batch = new ArrayList<>();
      Waiting oldest = queue.poll();
      if (oldest != null) {
        batch.add(oldest);
        takeAlong(batch);
      }
      waiting = queue.size();
      return batch;
    } finally {
      lock.unlock();
    }
  }

  private void takeAlong(List<Waiting> batch) {
    Waiting oldest = batch.get(0);
    long fitting = queue.stream().filter(request -> fits(request, oldest)).count();
    // Free threads get their share of the texts.
    long share = Math.min(maxBatch, (1 + fitting + idle) / (1 + idle));
    int characters = oldest.text().length();
    Map<Classifier, Integer> values = new IdentityHashMap<>();
    values.put(oldest.classifier(), oldest.classifier().adapter().values().length);
    Iterator<Waiting> rest = queue.iterator();
    while (batch.size() < share && rest.hasNext()) {
      Waiting request = rest.next();
      if (fits(request, oldest)
          && characters + request.text().length() <= MAX_CHARACTERS
          && fits(request.classifier(), values)) {
        characters += request.text().length();
        batch.add(request);
        rest.remove();
      }
    }
  }

  /** Whether one pass can score both. */
  private static boolean fits(Waiting one, Waiting other) {
    return one.adapter() == other.adapter() || one.classifier().sharesPass(other.classifier());
  }

  /** Whether there is room for another adapter's values; takes it. */
  private static boolean fits(Classifier classifier, Map<Classifier, Integer> values) {
    int own = classifier.adapter().values().length;
    long sum = values.values().stream().mapToLong(Integer::longValue).sum();
    if (!values.containsKey(classifier) && sum + own > MAX_VALUES) {
      return false;
    }
    values.put(classifier, own);
    return true;
  }

  private void score(List<Waiting> batch) {
    float[][] logits;
    try {
      logits = logits(batch);
      metrics.batched(batch.size(), adapters(batch));
    } catch (Throwable e) {
      if (batch.size() == 1) {
        batch.get(0).prediction().completeExceptionally(e);
      } else {
        // One text caused it; the others are still to be answered.
        batch.forEach(request -> score(List.of(request)));
      }
      return;
    }
    for (int i = 0; i < batch.size(); i++) {
      complete(batch.get(i), logits[i]);
    }
  }

  private static float[][] logits(List<Waiting> batch) {
    List<String> texts = batch.stream().map(Waiting::text).toList();
    return adapters(batch) == 1
        ? batch.get(0).classifier().logits(texts)
        : Classifier.logits(batch.stream().map(Waiting::classifier).toList(), texts);
  }

  private static int adapters(List<Waiting> batch) {
    return (int) batch.stream().map(Waiting::classifier).distinct().count();
  }

  private void complete(Waiting request, float[] logits) {
    StoredVersion version = request.adapter().version();
    for (float logit : logits) {
      if (!Float.isFinite(logit)) {
        request
            .prediction()
            .completeExceptionally(
                new PredictionException(
                    Reason.NOT_FINITE,
                    version == null
                        ? "the base model gives no finite vector for this text"
                        : "version "
                            + version.version()
                            + " of domain "
                            + quoted(version.domain())
                            + " gives no finite logits for this text"));
        return;
      }
    }
    served.increment();
    request
        .prediction()
        .complete(
            version == null
                ? Prediction.ofBase(logits)
                : Prediction.of(version, request.adapter().classifier().adapter().task(), logits));
  }

  /** Predictions made since the start. */
  public long served() {
    return served.sum();
  }

  /** Number of texts that wait for a pass. */
  int waiting() {
    return waiting;
  }

  /** Whether no text waits and no pass is running. */
  public boolean isIdle() {
    return idle == workers.size() && waiting == 0;
  }

  /**
   * Waits for the texts whose domain is being loaded, takes no more texts, and waits until the
   * queue is empty.
   *
   * @return false where a pass is still running when the time is up
   */
  public boolean close(Duration timeout) {
    long deadline = System.nanoTime() + timeout.toNanos();
    lock.lock();
    try {
      long left = timeout.toNanos();
      while (loading.get() > 0 && left > 0) {
        left = allLoaded.awaitNanos(left);
      }
      closed = true;
      arrived.signalAll();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    } finally {
      lock.unlock();
    }
    try {
      for (Thread worker : workers) {
        TimeUnit.NANOSECONDS.timedJoin(worker, Math.max(1, deadline - System.nanoTime()));
        if (worker.isAlive()) {
          return false;
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
    return true;
  }

  private static CompletableFuture<Prediction> failed(Reason reason, String message) {
    return CompletableFuture.failedFuture(new PredictionException(reason, message));
  }

  private static String quoted(String domain) {
    return '"' + (domain.length() <= 80 ? domain : domain.substring(0, 77) + "...") + '"';
  }
}
