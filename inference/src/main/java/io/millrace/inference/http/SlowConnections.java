package io.millrace.inference.http;

import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.eclipse.jetty.io.Connection;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.util.thread.Scheduler;

/**
 * Closes connections that are slow for too long: between requests until the next one's headers are
 * complete, or within a request until its answer is sent.
 *
 * <p>Jetty's idle timeout closes connections without traffic. A connection that sends or takes one
 * byte now and then would stay open forever, and the number of connections is limited.
 */
final class SlowConnections extends Handler.Wrapper implements Connection.Listener {
  private static final Duration CHECK_INTERVAL = Duration.ofSeconds(1);

  private final Duration betweenRequests;
  private final Duration request;
  private final Map<Connection, State> open = new ConcurrentHashMap<>();

  private record State(boolean busy, long since) {
    static State now(boolean busy) {
      return new State(busy, System.nanoTime());
    }
  }

  /**
   * @param betweenRequests limit from the start of a connection, or the end of its last answer, to
   *     the end of the next request's headers
   * @param request limit from there to the end of the answer
   */
  SlowConnections(Handler handler, Duration betweenRequests, Duration request) {
    super(handler);
    this.betweenRequests = betweenRequests;
    this.request = request;
  }

  @Override
  public void onOpened(Connection connection) {
    open.put(connection, State.now(false));
  }

  @Override
  public void onClosed(Connection connection) {
    open.remove(connection);
  }

  @Override
  public boolean handle(Request request, Response response, Callback callback) throws Exception {
    Connection connection = request.getConnectionMetaData().getConnection();
    open.replace(connection, State.now(true));
    Request.addCompletionListener(request, failure -> open.replace(connection, State.now(false)));
    return super.handle(request, response, callback);
  }

  /** Checks all connections now and then every second. */
  void watch(Scheduler scheduler) {
    long now = System.nanoTime();
    open.forEach(
        (connection, state) -> {
          Duration limit = state.busy() ? request : betweenRequests;
          if (now - state.since() > limit.toNanos()) {
            connection.getEndPoint().close();
          }
        });
    scheduler.schedule(() -> watch(scheduler), CHECK_INTERVAL.toMillis(), TimeUnit.MILLISECONDS);
  }
}
