package io.millrace.inference;

import io.millrace.client.kafka.Connection;
import io.millrace.client.process.BuildVersion;
import io.millrace.client.process.UsageException;
import io.millrace.client.rollout.RolloutKind;
import io.millrace.client.settings.Settings;
import io.millrace.inference.dashboard.Dashboard;
import io.millrace.inference.decide.RolloutDesk;
import io.millrace.inference.feedback.Feedback;
import io.millrace.inference.feedback.ServedRequests;
import io.millrace.inference.http.AdaptersEndpoint;
import io.millrace.inference.http.BearerToken;
import io.millrace.inference.http.DescriptionEndpoint;
import io.millrace.inference.http.FeedbackEndpoint;
import io.millrace.inference.http.HttpService;
import io.millrace.inference.http.InferEndpoint;
import io.millrace.inference.http.Listings;
import io.millrace.inference.http.LiveEndpoint;
import io.millrace.inference.http.MetricsEndpoint;
import io.millrace.inference.http.ModelEndpoint;
import io.millrace.inference.http.ModelsEndpoint;
import io.millrace.inference.http.PageUpdates;
import io.millrace.inference.http.PredictEndpoint;
import io.millrace.inference.http.ReadyEndpoint;
import io.millrace.inference.http.RequestBody;
import io.millrace.inference.http.RolloutDecisionEndpoint;
import io.millrace.inference.http.Routes;
import io.millrace.inference.http.ServerMetadataEndpoint;
import io.millrace.inference.http.WebAccess;
import io.millrace.inference.log.AdapterIntake;
import io.millrace.inference.log.LogFollower;
import io.millrace.inference.log.RolloutIntake;
import io.millrace.inference.metrics.ServingMetrics;
import io.millrace.inference.predict.Fallback;
import io.millrace.inference.predict.PredictRequest;
import io.millrace.inference.predict.Prediction;
import io.millrace.inference.predict.Predictor;
import io.millrace.inference.serving.AdapterCatalog;
import io.millrace.inference.serving.AdapterLoader;
import io.millrace.inference.serving.CatalogGauges;
import io.millrace.inference.serving.Merger;
import io.millrace.inference.store.AdapterStore;
import io.millrace.schemas.signing.KeyFileException;
import io.millrace.schemas.signing.TrustedKeys;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.ModelException;
import io.millrace.svft.model.ModelFiles;
import io.millrace.svft.model.ModelStore;
import io.millrace.svft.tensor.Torch;
import java.net.URI;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BiPredicate;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A serving process: makes store, follower, predictor and HTTP service in the order in which they
 * can start, and closes them in reverse order.
 *
 * <p>It listens before it loads, so that clients are told that it is loading.
 */
public final class ServingProcess implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(ServingProcess.class);

  /** The longest that an orderly shutdown may take in total. */
  private static final Duration GRACE = Duration.ofSeconds(8);

  /** A body is read into one array. */
  private static final long MAX_ARRAY = Integer.MAX_VALUE - 8;

  private final Settings settings;
  private final AdapterStore store;
  private final TrustedKeys trusted;
  private final Optional<BearerToken> rolloutToken;
  private final Optional<BearerToken> predictToken;
  private final Optional<BearerToken> feedbackToken;
  private final ServingMetrics metrics = new ServingMetrics();
  private final Merger merger;
  private final AdapterCatalog catalog;
  private final LogFollower follower;
  private final Predictor predictor;
  private final Optional<Feedback> feedback;
  private final RolloutDesk desk;
  private final Listings listings = new Listings();
  private final Optional<Dashboard> dashboard;
  private final Optional<PageUpdates> page;
  private final HttpService http;

  /** Held while loading, and while closing what was loaded. */
  private final ReentrantLock loading = new ReentrantLock();

  private BaseModel base;
  private volatile boolean closed;

  /**
   * Opens the store and listens. Requests are answered once {@link #load} has returned.
   *
   * @param data the directory of this process; no other process may use it
   * @param port 0 for any free one
   * @param notices receives the few lines that are shown at the console
   * @throws UsageException where the store or the port is in use, or a setting is wrong
   */
  public static ServingProcess listen(
      Settings settings, Path data, int port, Consumer<String> notices) throws Exception {
    AdapterStore store = AdapterStore.open(data.resolve("adapters"));
    Optional<Feedback> feedback = Optional.empty();
    try {
      feedback = feedback(settings, data);
      return new ServingProcess(settings, store, feedback, port, notices);
    } catch (Exception e) {
      feedback.ifPresent(opened -> opened.close(GRACE));
      store.close();
      throw e;
    }
  }

  private ServingProcess(
      Settings settings,
      AdapterStore store,
      Optional<Feedback> feedback,
      int port,
      Consumer<String> notices)
      throws Exception {
    this.settings = settings;
    this.store = store;
    this.trusted = trustedKeys(settings);
    this.rolloutToken = BearerToken.of(settings, BearerToken.ROLLOUT, BearerToken.ROLLOUT_FILE);
    this.predictToken = BearerToken.of(settings, BearerToken.PREDICT, BearerToken.PREDICT_FILE);
    this.feedbackToken = BearerToken.of(settings, BearerToken.FEEDBACK, BearerToken.FEEDBACK_FILE);
    this.merger = new Merger(settings.get(ServingSettings.MERGED_MEMORY), metrics);
    this.catalog =
        new AdapterCatalog(store, merger, settings.get(ServingSettings.LOADED_MEMORY), metrics);
    this.follower =
        new LogFollower(
            new Connection(settings),
            new AdapterIntake(store, catalog, trusted),
            new RolloutIntake(store, catalog, RolloutKind.PUBLICATIONS),
            new RolloutIntake(store, catalog, RolloutKind.DECISIONS),
            notices);
    this.predictor =
        new Predictor(
            catalog,
            settings.get(ServingSettings.CONCURRENCY),
            settings.get(ServingSettings.MAX_QUEUED_REQUESTS),
            settings.get(ServingSettings.MAX_BATCH),
            Fallback.of(settings.get(ServingSettings.FALLBACK)),
            metrics);
    CatalogGauges.register(metrics, catalog, settings.get(ServingSettings.METRICS_DOMAINS));
    follower.register(metrics);
    this.feedback = feedback;
    feedback.ifPresent(opened -> opened.register(metrics));
    this.desk =
        new RolloutDesk(catalog, new Connection(settings), () -> follower.progress().caughtUp());
    String host = settings.get(ServingSettings.HOST);
    List<URI> serving = DashboardSettings.serving(settings);
    this.dashboard =
        settings.get(ServingSettings.PAGE)
            ? Optional.of(
                new Dashboard(
                    new Connection(settings),
                    settings.get(DashboardSettings.JOB),
                    settings.get(DashboardSettings.MAX_DOMAINS),
                    () -> serving.isEmpty() ? List.of(own(host)) : serving,
                    Clock.systemUTC()))
            : Optional.empty();
    this.page = dashboard.map(shown -> new PageUpdates(shown::see));
    this.http = HttpService.start(host, port, routes(), WebAccess.of(settings, host), metrics);
  }

  /** The endpoints, by path. */
  public Map<String, Routes.Route> routes() {
    RequestBody bodies =
        new RequestBody((int) Math.min(settings.get(ServingSettings.MAX_REQUEST_BYTES), MAX_ARRAY));
    Predicate<PredictRequest> taken =
        feedback.<Predicate<PredictRequest>>map(f -> f::isTaken).orElse(request -> false);
    BiPredicate<PredictRequest, Prediction> served =
        feedback
            .<BiPredicate<PredictRequest, Prediction>>map(f -> f::remember)
            .orElse((request, prediction) -> true);
    Map<String, Routes.Route> routes = new TreeMap<>();
    routes.put(
        "/v1/predict",
        new Routes.Route(
            "POST",
            new PredictEndpoint(
                predictor,
                bodies,
                settings.get(ServingSettings.MAX_INPUTS),
                metrics,
                taken,
                served),
            predictToken));
    routes.put(
        "/v1/feedback",
        new Routes.Route("POST", new FeedbackEndpoint(feedback, bodies, metrics), feedbackToken));
    routes.put("/v1/adapters", new Routes.Route("GET", new AdaptersEndpoint(catalog, listings)));
    routes.putAll(RolloutDecisionEndpoint.routes(desk, listings, rolloutToken, bodies, metrics));
    routes.put("/v1/models", new Routes.Route("GET", new ModelsEndpoint(catalog, listings)));
    routes.putAll(
        ModelEndpoint.routes(
            catalog,
            listings,
            new InferEndpoint(
                predictor, bodies, settings.get(ServingSettings.MAX_INPUTS), metrics, served),
            predictToken));
    routes.put("/v2", new Routes.Route("GET", new ServerMetadataEndpoint(BuildVersion.text())));
    routes.put("/v2/health/live", new Routes.Route("GET", new LiveEndpoint()));
    routes.put(
        "/v2/health/ready",
        new Routes.Route("GET", new ReadyEndpoint(catalog, follower, predictor)));
    page.ifPresent(shown -> routes.putAll(Routes.ofPage(shown, predictToken)));
    routes.put("/openapi.yaml", new Routes.Route("GET", new DescriptionEndpoint()));
    routes.put("/metrics", new Routes.Route("GET", new MetricsEndpoint(metrics)));
    routes.put("/health/live", new Routes.Route("GET", new LiveEndpoint()));
    routes.put(
        "/health/ready", new Routes.Route("GET", new ReadyEndpoint(catalog, follower, predictor)));
    return routes;
  }

  private static Optional<Feedback> feedback(Settings settings, Path data) {
    Duration window = settings.get(ServingSettings.FEEDBACK_WINDOW);
    if (window.isZero()) {
      return Optional.empty();
    }
    ServedRequests requests =
        ServedRequests.open(
            data.resolve("requests"),
            window,
            settings.get(ServingSettings.FEEDBACK_REQUESTS),
            Clock.systemUTC());
    return Optional.of(new Feedback(requests, new Connection(settings), window));
  }

  private static TrustedKeys trustedKeys(Settings settings) {
    List<Path> files =
        Arrays.stream(settings.get(ServingSettings.TRUSTED_KEYS).split(","))
            .map(String::strip)
            .filter(path -> !path.isEmpty())
            .map(Path::of)
            .toList();
    try {
      return TrustedKeys.read(files);
    } catch (KeyFileException e) {
      throw new UsageException(ServingSettings.TRUSTED_KEYS.key() + ": " + e.getMessage(), e);
    }
  }

  /** Where this process reaches itself. */
  private URI own(String host) {
    boolean all = host.equals("0.0.0.0") || host.equals("::") || host.equals("[::]");
    String address = all ? "127.0.0.1" : host;
    return URI.create(
        "http://" + (address.contains(":") ? "[" + address + "]" : address) + ":" + port() + "/");
  }

  /** The port it listens on. */
  public int port() {
    return http.port();
  }

  /**
   * Loads the base model and the store, then begins to follow {@code adapters} and {@code
   * rollouts}.
   *
   * @throws UsageException where there is no such base model
   */
  public void load(ModelStore.Listener listener) {
    loading.lock();
    try {
      if (!closed) {
        // What trains is to be seen while the model loads, which takes minutes the first time.
        dashboard.ifPresent(Dashboard::start);
      }
      base = BaseModel.loadToPredict(prepare(listener), Torch.device("cpu"));
      AdapterLoader loader = new AdapterLoader(store, base, trusted);
      catalog.load(loader);
      LOG.info("{} domains are in the local store", catalog.domains().size());
      if (!closed) {
        catalog.startMerging(predictor::isIdle);
        follower.start();
        catalog.startWarmUp(predictor::isIdle);
      }
    } finally {
      loading.unlock();
    }
  }

  private ModelFiles prepare(ModelStore.Listener listener) {
    Path root = Path.of(settings.get(ServingSettings.MODEL_STORE));
    try {
      return new ModelStore(root).prepare(settings.get(ServingSettings.MODEL_NAME), listener);
    } catch (ModelException e) {
      throw new UsageException(e.getMessage(), e);
    }
  }

  /** Number of the domains known here. */
  int domains() {
    return catalog.domains().size();
  }

  /**
   * Completes when the ends that {@code adapters} and {@code rollouts} had at the start are
   * reached.
   */
  CompletableFuture<Void> caughtUp() {
    return follower.caughtUp();
  }

  /**
   * Takes no more requests, lets those in flight end, and closes store and model, in 8 seconds at
   * most. What is still in use when the time is up stays open until the process ends: its user
   * would fail otherwise. The store loses nothing by that.
   */
  @Override
  public void close() {
    long deadline = System.nanoTime() + GRACE.toNanos();
    closed = true;
    follower.beginClose();
    dashboard.ifPresent(Dashboard::beginClose);
    page.ifPresent(PageUpdates::close);
    merger.beginClose();
    catalog.beginClose();
    http.stop(GRACE.dividedBy(2));
    boolean ended =
        predictor.close(until(deadline))
            && feedback.map(f -> f.close(until(deadline))).orElse(true)
            && desk.close(until(deadline))
            && listings.close(until(deadline))
            && follower.awaitClosed(until(deadline))
            && dashboard.map(d -> d.awaitClosed(until(deadline))).orElse(true)
            && merger.awaitClosed(until(deadline))
            && catalog.awaitClosed(until(deadline))
            && awaitLoaded(until(deadline));
    if (!ended) {
      LOG.warn("not everything ended in time; the rest ends with the process");
      return;
    }
    catalog.close();
    if (base != null) {
      base.close();
    }
    store.close();
  }

  private static Duration until(long deadline) {
    return Duration.ofNanos(Math.max(0, deadline - System.nanoTime()));
  }

  /** Waits for a load that is under way, and lets no other begin: the lock is kept. */
  private boolean awaitLoaded(Duration timeout) {
    try {
      return loading.tryLock(timeout.toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }
}
