package io.millrace.inference.http;

import io.millrace.client.process.UsageException;
import io.millrace.inference.metrics.ServingMetrics;
import java.io.IOException;
import java.nio.channels.UnresolvedAddressException;
import java.time.Duration;
import java.util.Map;
import org.eclipse.jetty.http.UriCompliance;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.NetworkConnectionLimit;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.server.handler.GracefulHandler;
import org.eclipse.jetty.util.thread.QueuedThreadPool;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The HTTP service: Jetty, with a limit on every resource that clients can use.
 *
 * <p>A few threads move bytes and never wait, neither for a body nor for a prediction. So a slow
 * client costs one connection, of which there is a limited number, and delays no other client.
 */
public final class HttpService {
  private static final Logger LOG = LoggerFactory.getLogger(HttpService.class);

  /** A domain's name may have slashes and percent signs; the paths of models take them encoded. */
  private static final UriCompliance ENCODED_NAMES =
      UriCompliance.DEFAULT.with(
          "encoded names",
          UriCompliance.Violation.AMBIGUOUS_PATH_SEPARATOR,
          UriCompliance.Violation.AMBIGUOUS_PATH_ENCODING);

  private static final int THREADS = 8;
  private static final int MAX_CONNECTIONS = 1024;
  private static final Duration IDLE_TIMEOUT = Duration.ofSeconds(30);

  /** Enough for a body, which has 30 s, a prediction or an answer of Kafka, and a small answer. */
  private static final Duration REQUEST_TIMEOUT = Duration.ofMinutes(2);

  /** At shutdown, for connections without a request; requests in flight are waited for. */
  private static final Duration SHUTDOWN_IDLE_TIMEOUT = Duration.ofMillis(100);

  private final Server server;
  private final ServerConnector connector;

  private HttpService(Server server, ServerConnector connector) {
    this.server = server;
    this.connector = connector;
  }

  /**
   * Listens, and answers until {@link #stop}.
   *
   * @param port 0 for any free one
   * @param routes the endpoints, by path
   * @param access what web pages may do
   * @throws UsageException where it cannot listen on the address
   */
  public static HttpService start(
      String host,
      int port,
      Map<String, Routes.Route> routes,
      WebAccess access,
      ServingMetrics metrics)
      throws Exception {
    return start(host, port, routes, access, metrics, IDLE_TIMEOUT, REQUEST_TIMEOUT);
  }

  /** As the other {@code start}, with other limits for slow connections. */
  static HttpService start(
      String host,
      int port,
      Map<String, Routes.Route> routes,
      WebAccess access,
      ServingMetrics metrics,
      Duration betweenRequests,
      Duration request)
      throws Exception {
    QueuedThreadPool threads = new QueuedThreadPool(THREADS);
    threads.setName("http");
    Server server = new Server(threads);
    HttpConfiguration http = new HttpConfiguration();
    http.setSendServerVersion(false);
    http.setUriCompliance(ENCODED_NAMES);
    ServerConnector connector = new ServerConnector(server, 1, 1, new HttpConnectionFactory(http));
    connector.setHost(host);
    connector.setPort(port);
    connector.setIdleTimeout(IDLE_TIMEOUT.toMillis());
    connector.setShutdownIdleTimeout(SHUTDOWN_IDLE_TIMEOUT.toMillis());
    server.addConnector(connector);
    server.addBean(new NetworkConnectionLimit(MAX_CONNECTIONS, connector));
    SlowConnections slow =
        new SlowConnections(new Routes(routes, access, metrics), betweenRequests, request);
    connector.addBean(slow, false);
    server.setHandler(new GracefulHandler(slow));
    server.setErrorHandler(new JsonErrorHandler());
    try {
      connector.open();
    } catch (IOException | UnresolvedAddressException e) {
      Throwable cause = e.getCause() == null ? e : e.getCause();
      String reason = cause.getMessage() == null ? "no such host" : cause.getMessage();
      throw new UsageException(
          "cannot listen on %s:%d: %s; choose another with --port or serving.host"
              .formatted(host, port, reason),
          e);
    }
    server.start();
    slow.watch(connector.getScheduler());
    return new HttpService(server, connector);
  }

  /** The port it listens on. */
  public int port() {
    return connector.getLocalPort();
  }

  /** Accepts no more requests, and waits for those in flight until the time is up. */
  public void stop(Duration timeout) {
    server.setStopTimeout(timeout.toMillis());
    try {
      server.stop();
    } catch (Exception e) {
      LOG.warn("some requests were cut off", e);
    }
  }
}
