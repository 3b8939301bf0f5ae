package io.millrace.inference.http;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Iterator;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Sends long lists piece by piece. Their items are read from the store on threads of this class, at
 * the speed at which the client reads: no list is in memory as a whole, and a slow client holds one
 * piece and no thread.
 */
public final class Listings {
  private static final Logger LOG = LoggerFactory.getLogger(Listings.class);
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final int THREADS = 2;

  /** Lists under way; each holds one piece and one item. */
  private static final int MOST = 64;

  /** About; an item is never divided. */
  private static final int PIECE_BYTES = 32 << 10;

  private final AtomicInteger underWay = new AtomicInteger();
  private final ThreadPoolExecutor threads =
      new ThreadPoolExecutor(
          THREADS,
          THREADS,
          1,
          TimeUnit.MINUTES,
          new LinkedBlockingQueue<>(),
          work -> {
            Thread thread = new Thread(work, "list");
            thread.setDaemon(true);
            return thread;
          });

  public Listings() {
    threads.allowCoreThreadTimeOut(true);
  }

  /**
   * What a list consists of.
   *
   * @param head the fields before the list
   * @param name the list's field
   * @param items of the list; may read the store
   * @param tail gives the fields after the list, once all items were taken
   */
  record Content(
      ObjectNode head,
      String name,
      Iterator<? extends JsonNode> items,
      Supplier<ObjectNode> tail) {}

  /** Answers 200 with an object that holds a list; 503 where too many are under way. */
  void send(Response response, Callback callback, Content content) {
    if (underWay.incrementAndGet() > MOST) {
      underWay.decrementAndGet();
      busy(response, callback);
      return;
    }
    Callback once = Callback.from(underWay::decrementAndGet, callback);
    try {
      new Sending(response, once, content).goOn();
    } catch (RejectedExecutionException e) {
      busy(response, once);
    } catch (IOException e) {
      once.failed(e);
    }
  }

  /**
   * Runs what may read the store, and answers in one piece; 503 where too many are under way.
   *
   * @param work answers with the callback that it is given
   */
  void run(Response response, Callback callback, Consumer<Callback> work) {
    if (underWay.incrementAndGet() > MOST) {
      underWay.decrementAndGet();
      busy(response, callback);
      return;
    }
    Callback once = Callback.from(underWay::decrementAndGet, callback);
    try {
      threads.execute(
          () -> {
            try {
              work.accept(once);
            } catch (RuntimeException e) {
              LOG.error("a request could not be answered", e);
              Answer.error(response, once, HttpStatus.INTERNAL_SERVER_ERROR_500, "internal error");
            }
          });
    } catch (RejectedExecutionException e) {
      busy(response, once);
    }
  }

  private static void busy(Response response, Callback callback) {
    response.getHeaders().put(HttpHeader.RETRY_AFTER, 1);
    Answer.error(
        response,
        callback,
        HttpStatus.SERVICE_UNAVAILABLE_503,
        "too many lists are being read; try again");
  }

  /** One list. At any time one thread at most runs this. */
  private final class Sending {
    private final Response response;
    private final Callback callback;
    private final Content content;
    private final ByteArrayOutputStream piece = new ByteArrayOutputStream();
    private final JsonGenerator json;
    private boolean begun;

    Sending(Response response, Callback callback, Content content) throws IOException {
      this.response = response;
      this.callback = callback;
      this.content = content;
      this.json = JSON.createGenerator(piece);
    }

    void goOn() {
      threads.execute(this::sendPiece);
    }

    private void sendPiece() {
      boolean last;
      try {
        last = fill();
      } catch (RuntimeException | IOException e) {
        LOG.error("a list could not be read", e);
        fail(e);
        return;
      }
      if (!response.isCommitted()) {
        Answer.putHeaders(response, HttpStatus.OK_200);
      }
      byte[] bytes = piece.toByteArray();
      piece.reset();
      response.write(
          last,
          ByteBuffer.wrap(bytes),
          last ? callback : Callback.from(this::resume, callback::failed));
    }

    private void resume() {
      try {
        goOn();
      } catch (RejectedExecutionException e) {
        callback.failed(e);
      }
    }

    private void fail(Exception e) {
      if (response.isCommitted()) {
        callback.failed(e);
      } else {
        Answer.error(response, callback, HttpStatus.INTERNAL_SERVER_ERROR_500, "internal error");
      }
    }

    /** Whether that was the last piece. */
    private boolean fill() throws IOException {
      if (!begun) {
        begun = true;
        json.writeStartObject();
        writeFields(content.head());
        json.writeArrayFieldStart(content.name());
      }
      while (content.items().hasNext()) {
        JSON.writeTree(json, content.items().next());
        json.flush();
        if (piece.size() >= PIECE_BYTES) {
          return false;
        }
      }
      json.writeEndArray();
      writeFields(content.tail().get());
      json.writeEndObject();
      json.close();
      return true;
    }

    private void writeFields(ObjectNode fields) throws IOException {
      for (var each : fields.properties()) {
        json.writeFieldName(each.getKey());
        JSON.writeTree(json, each.getValue());
      }
    }
  }

  /**
   * Reads no more, and waits for what is being read.
   *
   * @return false where it still is when the time is up
   */
  public boolean close(Duration timeout) {
    threads.shutdownNow();
    try {
      return threads.awaitTermination(Math.max(1, timeout.toNanos()), TimeUnit.NANOSECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }
}
