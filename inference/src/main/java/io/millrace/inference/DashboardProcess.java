package io.millrace.inference;

import io.millrace.client.kafka.Connection;
import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Settings;
import io.millrace.inference.dashboard.Dashboard;
import io.millrace.inference.http.BearerToken;
import io.millrace.inference.http.ForwardEndpoint;
import io.millrace.inference.http.HttpService;
import io.millrace.inference.http.LiveEndpoint;
import io.millrace.inference.http.PageUpdates;
import io.millrace.inference.http.RequestBody;
import io.millrace.inference.http.Routes;
import io.millrace.inference.http.WebAccess;
import io.millrace.inference.metrics.ServingMetrics;
import java.net.URI;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The page in a process of its own, without a model: it reads the topics, and hands texts and
 * decisions on to the serving processes.
 */
public final class DashboardProcess implements AutoCloseable {
  /** The longest that an orderly shutdown may take. */
  private static final Duration GRACE = Duration.ofSeconds(5);

  private static final URI DEFAULT_SERVING = URI.create("http://127.0.0.1:8080/");
  private static final int MAX_BODY = 1 << 20;

  private final Dashboard dashboard;
  private final PageUpdates updates;
  private final HttpService http;

  private DashboardProcess(Dashboard dashboard, PageUpdates updates, HttpService http) {
    this.dashboard = dashboard;
    this.updates = updates;
    this.http = http;
  }

  /**
   * Listens, and begins to read.
   *
   * @param port 0 for any free one
   * @throws UsageException where the port is in use, or a setting is wrong
   */
  public static DashboardProcess start(Settings settings, int port) throws Exception {
    List<URI> named = DashboardSettings.serving(settings);
    List<URI> serving = named.isEmpty() ? List.of(DEFAULT_SERVING) : named;
    Dashboard dashboard =
        new Dashboard(
            new Connection(settings),
            settings.get(DashboardSettings.JOB),
            settings.get(DashboardSettings.MAX_DOMAINS),
            () -> serving,
            Clock.systemUTC());
    PageUpdates updates = new PageUpdates(dashboard::see);
    String host = settings.get(DashboardSettings.HOST);
    try {
      Map<String, Routes.Route> routes =
          new TreeMap<>(
              Routes.ofPage(
                  updates,
                  BearerToken.of(settings, BearerToken.PREDICT, BearerToken.PREDICT_FILE)));
      routes.putAll(ForwardEndpoint.routes(dashboard::serving, new RequestBody(MAX_BODY)));
      routes.put("/health/live", new Routes.Route("GET", new LiveEndpoint()));
      HttpService http =
          HttpService.start(host, port, routes, WebAccess.of(settings, host), new ServingMetrics());
      dashboard.start();
      return new DashboardProcess(dashboard, updates, http);
    } catch (Exception e) {
      updates.close();
      dashboard.beginClose();
      throw e;
    }
  }

  /** The port it listens on. */
  public int port() {
    return http.port();
  }

  /** Ends the streams and the reading. */
  @Override
  public void close() {
    dashboard.beginClose();
    updates.close();
    http.stop(GRACE.dividedBy(2));
    dashboard.awaitClosed(GRACE.dividedBy(2));
  }
}
