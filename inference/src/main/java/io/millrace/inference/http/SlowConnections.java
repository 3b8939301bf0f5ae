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

  /** The attribute of a request by which its endpoint says that the answer takes its time. */
  private static final String LASTS = SlowConnections.class.getName();

  private enum Phase {
    BETWEEN_REQUESTS,
    IN_REQUEST,
    IN_STREAM
  }

  private record State(Phase phase, long since) {
    static State now(Phase phase) {
      return new State(phase, System.nanoTime());
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
    open.put(connection, State.now(Phase.BETWEEN_REQUESTS));
  }

  @Override
  public void onClosed(Connection connection) {
    open.remove(connection);
  }

  @Override
  public boolean handle(Request request, Response response, Callback callback) throws Exception {
    Connection connection = request.getConnectionMetaData().getConnection();
    open.replace(connection, State.now(Phase.IN_REQUEST));
    Runnable lasts = () -> open.replace(connection, State.now(Phase.IN_STREAM));
    request.setAttribute(LASTS, lasts);
    Request.addCompletionListener(
        request, failure -> open.replace(connection, State.now(Phase.BETWEEN_REQUESTS)));
    return super.handle(request, response, callback);
  }

  /**
   * The answer to this request is a stream: it has no end, and whoever sends it sees to it that it
   * is read.
   */
  static void isMeantToLast(Request request) {
    if (request.getAttribute(LASTS) instanceof Runnable lasts) {
      lasts.run();
    }
  }

  /** Checks all connections now and then every second. */
  void watch(Scheduler scheduler) {
    long now = System.nanoTime();
    open.forEach(
        (connection, state) -> {
          Duration limit = state.phase() == Phase.BETWEEN_REQUESTS ? betweenRequests : request;
          if (state.phase() != Phase.IN_STREAM && now - state.since() > limit.toNanos()) {
            connection.getEndPoint().close();
          }
        });
    scheduler.schedule(() -> watch(scheduler), CHECK_INTERVAL.toMillis(), TimeUnit.MILLISECONDS);
  }
}
