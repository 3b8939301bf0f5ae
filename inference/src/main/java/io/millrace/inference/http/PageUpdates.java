package io.millrace.inference.http;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.inference.dashboard.View;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.io.EndPoint;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Sends the tabs that show the page what has changed, once a second at most.
 *
 * <p>One thread puts the updates together, each once for all tabs that look at the same. A tab
 * holds a connection and no thread. To one that does not read, nothing is sent until it has read
 * the last update, and none waits in memory; after a while its connection is closed.
 */
public final class PageUpdates {
  private static final Logger LOG = LoggerFactory.getLogger(PageUpdates.class);

  /** Tabs at most: of the connections there may be, most are left for predictions. */
  static final int MOST = 200;

  /** Answers that wait to be put together. */
  private static final int MOST_WAITING = 64;

  /** Sent where nothing has changed, so that neither side takes the other for gone. */
  private static final byte[] COMMENT = ":\n\n".getBytes(UTF_8);

  private final Function<View, ObjectNode> seen;
  private final long heartbeatNanos;
  private final long unreadNanos;
  private final Set<Stream> streams = ConcurrentHashMap.newKeySet();
  private final AtomicInteger open = new AtomicInteger();
  private final AtomicInteger waiting = new AtomicInteger();
  private final ScheduledThreadPoolExecutor thread;

  /** Of this second, by what is looked at. Owned by the thread. */
  private final Map<View, Update> updates = new HashMap<>();

  private volatile boolean closed;

  /**
   * What somebody sees.
   *
   * @param head its beginning, with the time
   * @param content the rest, by which it is told whether anything has changed
   */
  private record Update(byte[] head, byte[] content) {
    byte[] json() {
      return joined(head, content);
    }

    byte[] event() {
      return joined("data: ".getBytes(UTF_8), head, content, "\n\n".getBytes(UTF_8));
    }

    private static byte[] joined(byte[]... parts) {
      ByteArrayOutputStream joined = new ByteArrayOutputStream();
      for (byte[] part : parts) {
        joined.writeBytes(part);
      }
      return joined.toByteArray();
    }
  }

  /**
   * @param seen what somebody sees who looks at a view, with the time in {@code at}
   */
  public PageUpdates(Function<View, ObjectNode> seen) {
    this(seen, Duration.ofSeconds(1), Duration.ofSeconds(15), Duration.ofSeconds(20));
  }

  /**
   * @param interval from one update to the next
   * @param heartbeat how long nothing may be sent
   * @param unread how long a tab may take to read an update
   */
  PageUpdates(
      Function<View, ObjectNode> seen, Duration interval, Duration heartbeat, Duration unread) {
    this.seen = seen;
    this.heartbeatNanos = heartbeat.toNanos();
    this.unreadNanos = unread.toNanos();
    this.thread =
        new ScheduledThreadPoolExecutor(
            1,
            work -> {
              Thread made = new Thread(work, "page");
              made.setDaemon(true);
              return made;
            });
    thread.scheduleWithFixedDelay(
        this::sendAll, interval.toMillis(), interval.toMillis(), TimeUnit.MILLISECONDS);
  }

  /** Answers with what is to be seen now, or a second ago. */
  void answer(View view, Response response, Callback callback) {
    if (waiting.incrementAndGet() > MOST_WAITING) {
      waiting.decrementAndGet();
      busy(response, callback, "too many ask for it; try again");
      return;
    }
    try {
      thread.execute(
          () -> {
            waiting.decrementAndGet();
            byte[] json;
            try {
              json = update(view).json();
            } catch (RuntimeException e) {
              LOG.error("the page could not be put together", e);
              Answer.error(
                  response, callback, HttpStatus.INTERNAL_SERVER_ERROR_500, "internal error");
              return;
            }
            Answer.send(response, callback, HttpStatus.OK_200, "application/json", json);
          });
    } catch (RejectedExecutionException e) {
      waiting.decrementAndGet();
      busy(response, callback, "the process is ending");
    }
  }

  /** Begins a stream; 503 where there are too many. */
  void stream(View view, Request request, Response response, Callback callback, String type) {
    if (closed) {
      busy(response, callback, "the process is ending");
      return;
    }
    if (open.incrementAndGet() > MOST) {
      open.decrementAndGet();
      busy(response, callback, "%d tabs show the page; close one".formatted(MOST));
      return;
    }
    SlowConnections.isMeantToLast(request);
    response.setStatus(HttpStatus.OK_200);
    response.getHeaders().put(HttpHeader.CONTENT_TYPE, type);
    // A proxy that collects an answer before it sends it would never send this one.
    response.getHeaders().put("X-Accel-Buffering", "no");
    Stream stream =
        new Stream(
            view,
            request.getConnectionMetaData().getConnection().getEndPoint(),
            response,
            callback);
    streams.add(stream);
    try {
      thread.execute(() -> send(stream));
    } catch (RejectedExecutionException e) {
      stream.end();
    }
  }

  private static void busy(Response response, Callback callback, String why) {
    response.getHeaders().put(HttpHeader.RETRY_AFTER, 2);
    Answer.error(response, callback, HttpStatus.SERVICE_UNAVAILABLE_503, why);
  }

  private void sendAll() {
    updates.clear();
    for (Stream stream : streams) {
      send(stream);
    }
  }

  private void send(Stream stream) {
    try {
      stream.send(update(stream.view));
    } catch (RuntimeException e) {
      // The next second may be a better one; the other tabs get theirs.
      LOG.error("the page could not be put together", e);
    }
  }

  private Update update(View view) {
    Update known = updates.get(view);
    if (known != null) {
      return known;
    }
    ObjectNode now = seen.apply(view);
    String at = now.remove("at").asText();
    byte[] rest = Answer.bytes(now);
    Update update =
        new Update(
            ("{\"at\":\"" + at + "\",").getBytes(UTF_8), Arrays.copyOfRange(rest, 1, rest.length));
    if (updates.size() <= MOST) {
      updates.put(view, update);
    }
    return update;
  }

  /** Number of tabs that show the page. */
  int open() {
    return open.get();
  }

  /** Number of answers that wait to be put together. */
  int waiting() {
    return waiting.get();
  }

  /** One tab. */
  private final class Stream {
    private final View view;
    private final EndPoint connection;
    private final Response response;
    private final Callback callback;
    private byte[] sent;
    private boolean writing;
    private boolean ended;
    private long since = System.nanoTime();

    Stream(View view, EndPoint connection, Response response, Callback callback) {
      this.view = view;
      this.connection = connection;
      this.response = response;
      this.callback = callback;
    }

    synchronized void send(Update update) {
      long now = System.nanoTime();
      if (ended) {
        return;
      }
      if (writing) {
        if (now - since > unreadNanos) {
          connection.close();
        }
      } else if (!Arrays.equals(sent, update.content())) {
        sent = update.content();
        write(update.event());
      } else if (now - since > heartbeatNanos) {
        write(COMMENT);
      }
    }

    private void write(byte[] bytes) {
      writing = true;
      since = System.nanoTime();
      response.write(
          false, ByteBuffer.wrap(bytes), Callback.from(this::written, failure -> gone(failure)));
    }

    private synchronized void written() {
      writing = false;
      if (ended) {
        finish();
      }
    }

    private void gone(Throwable failure) {
      synchronized (this) {
        ended = true;
      }
      forget();
      callback.failed(failure);
    }

    /** Ends the answer, after the update that is being written. */
    synchronized void end() {
      if (!ended) {
        ended = true;
        if (writing) {
          // What is not read by now will not be.
          connection.close();
        } else {
          finish();
        }
      }
    }

    private void finish() {
      forget();
      response.write(true, null, callback);
    }

    private void forget() {
      if (streams.remove(this)) {
        open.decrementAndGet();
      }
    }
  }

  /** Ends all streams, and begins no more. Who waits for an answer gets it. */
  public void close() {
    closed = true;
    thread.shutdown();
    streams.forEach(Stream::end);
  }
}
