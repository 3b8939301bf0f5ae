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
 * Closes connections that hold their place too long: without a request whose headers are whole, or
 * with one that does not end.
 *
 * <p>Jetty's idle timeout ends those that say nothing. Those that say a byte now and then, or take
 * one of their answer, would stay for good, and there is a limit to their number.
 */
final class SlowConnections extends Handler.Wrapper implements Connection.Listener {
  private static final Duration LOOK = Duration.ofSeconds(1);

  private final Duration betweenRequests;
  private final Duration request;
  private final Map<Connection, State> open = new ConcurrentHashMap<>();

  private record State(boolean busy, long since) {
    static State now(boolean busy) {
      return new State(busy, System.nanoTime());
    }
  }

  /**
   * @param betweenRequests from a connection's begin, or the end of its last request, to the next
   *     one's headers
   * @param request from there to the end of its answer
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

  /** Looks now and from time to time. */
  void watch(Scheduler scheduler) {
    long now = System.nanoTime();
    open.forEach(
        (connection, state) -> {
          Duration limit = state.busy() ? request : betweenRequests;
          if (now - state.since() > limit.toNanos()) {
            connection.getEndPoint().close();
          }
        });
    scheduler.schedule(() -> watch(scheduler), LOOK.toMillis(), TimeUnit.MILLISECONDS);
  }
}
