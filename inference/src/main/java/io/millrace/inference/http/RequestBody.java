package io.millrace.inference.http;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import org.eclipse.jetty.http.HttpField;
import org.eclipse.jetty.http.HttpFields;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.util.thread.Invocable;
import org.eclipse.jetty.util.thread.Scheduler;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads bodies of JSON to their end, and answers clients that send something else, too much or too
 * slowly.
 */
public final class RequestBody {
  private static final Logger LOG = LoggerFactory.getLogger(RequestBody.class);
  private static final String JSON = "application/json";
  private static final Duration TIMEOUT = Duration.ofSeconds(30);

  /** Bodies up to this size are not limited in number, but by the number of connections. */
  private static final int SMALL_BYTES = 16 * 1024;

  /** Memory that larger bodies share; many slow ones together would exhaust it otherwise. */
  private static final long LARGE_BYTES = 64L << 20;

  /** Bytes read of a body that is refused; the connection is closed after that. */
  private static final long MAX_DISCARDED = 32L << 20;

  private final int maxBytes;
  private final Duration timeout;
  private final long largeBytes;
  private final AtomicLong reserved = new AtomicLong();

  /**
   * @param maxBytes size of one body at most, in bytes
   */
  public RequestBody(int maxBytes) {
    this(maxBytes, TIMEOUT);
  }

  /**
   * @param timeout a whole body must have arrived by then, even if it arrives steadily
   */
  RequestBody(int maxBytes, Duration timeout) {
    this.maxBytes = maxBytes;
    this.timeout = timeout;
    this.largeBytes = Math.max(LARGE_BYTES, maxBytes);
  }

  /**
   * Passes the body on once it is complete; answers the request itself where it never is, or does
   * not call itself JSON: a web page may send anything else anywhere without asking.
   */
  void read(Request request, Response response, Callback callback, Consumer<byte[]> whole) {
    Reading reading = new Reading(request, response, callback, whole);
    if (!isJson(request.getHeaders())) {
      response.getHeaders().put(HttpHeader.ACCEPT, JSON);
      reading.refuse(
          HttpStatus.UNSUPPORTED_MEDIA_TYPE_415,
          "send the body as Content-Type: application/json, in UTF-8 and without an encoding");
    }
    reading.begin();
  }

  private static boolean isJson(HttpFields headers) {
    List<String> types = headers.getValuesList(HttpHeader.CONTENT_TYPE);
    if (types.size() != 1 || headers.contains(HttpHeader.CONTENT_ENCODING)) {
      return false;
    }
    Map<String, String> parameters = new HashMap<>();
    String type = HttpField.getValueParameters(types.get(0), parameters);
    return JSON.equalsIgnoreCase(type)
        && parameters.entrySet().stream()
            .allMatch(
                parameter ->
                    parameter.getKey().equalsIgnoreCase("charset")
                        && "utf-8".equalsIgnoreCase(parameter.getValue()));
  }

  /** Refuses the request whatever its body is. */
  void refuse(Request request, Response response, Callback callback, int status, String message) {
    Reading unwanted = new Reading(request, response, callback, body -> {});
    unwanted.refuse(status, message);
    unwanted.begin();
  }

  /** One body. Its chunks arrive one after another, so one thread at a time runs this. */
  private final class Reading implements Runnable, Invocable {
    private final Request request;
    private final Response response;
    private final Callback callback;
    private final Consumer<byte[]> whole;
    private final ByteArrayOutputStream body = new ByteArrayOutputStream();
    private Scheduler.Task deadline;
    private boolean refused;
    private long discarded;

    Reading(Request request, Response response, Callback callback, Consumer<byte[]> whole) {
      this.request = request;
      this.response = response;
      this.callback = callback;
      this.whole = whole;
    }

    @Override
    public InvocationType getInvocationType() {
      return InvocationType.NON_BLOCKING;
    }

    void begin() {
      // The body has a deadline of its own; waiting for the answer is not being idle.
      request.addIdleTimeoutListener(idle -> false);
      deadline =
          request
              .getComponents()
              .getScheduler()
              .schedule(
                  () -> request.fail(new TimeoutException("the body did not arrive in time")),
                  timeout.toMillis(),
                  TimeUnit.MILLISECONDS);
      if (!refused && request.getLength() > maxBytes) {
        refuseSize();
      } else if (!refused && !reserve(request)) {
        response.getHeaders().put(HttpHeader.RETRY_AFTER, 1);
        refuse(HttpStatus.SERVICE_UNAVAILABLE_503, "too many large bodies at once; try again");
      }
      run();
    }

    @Override
    public void run() {
      while (true) {
        Content.Chunk chunk = request.read();
        if (chunk == null) {
          request.demand(this);
          return;
        }
        if (Content.Chunk.isFailure(chunk)) {
          end(chunk.getFailure());
          return;
        }
        boolean last = chunk.isLast();
        take(chunk.getByteBuffer());
        chunk.release();
        if (last || discarded > MAX_DISCARDED) {
          end(null);
          return;
        }
      }
    }

    private void take(ByteBuffer bytes) {
      if (!refused && body.size() + bytes.remaining() > maxBytes) {
        refuseSize();
      }
      if (refused) {
        discarded += bytes.remaining();
        return;
      }
      byte[] part = new byte[bytes.remaining()];
      bytes.get(part);
      body.writeBytes(part);
    }

    private void refuseSize() {
      refuse(HttpStatus.PAYLOAD_TOO_LARGE_413, "the body is larger than " + maxBytes + " bytes");
    }

    /**
     * Answers, and goes on reading: a client that sends its whole body before it reads would find
     * its connection closed, and no answer.
     */
    private void refuse(int status, String message) {
      refused = true;
      body.reset();
      Answer.error(response, Callback.NOOP, status, message);
    }

    private void end(Throwable failure) {
      deadline.cancel();
      if (refused) {
        callback.succeeded();
      } else if (failure == null) {
        whole.accept(body.toByteArray());
      } else if (failure instanceof TimeoutException) {
        Answer.error(
            response, callback, HttpStatus.REQUEST_TIMEOUT_408, "the body did not arrive in time");
      } else {
        LOG.debug("a request's body could not be read", failure);
        Answer.error(
            response,
            callback,
            HttpStatus.BAD_REQUEST_400,
            "the body could not be read to its end");
      }
    }
  }

  /**
   * Reserves memory for a body until its request is answered; the maximum for an unknown length.
   */
  private boolean reserve(Request request) {
    long bytes = request.getLength() < 0 ? maxBytes : request.getLength();
    if (bytes <= SMALL_BYTES) {
      return true;
    }
    if (reserved.addAndGet(bytes) > largeBytes) {
      reserved.addAndGet(-bytes);
      return false;
    }
    Request.addCompletionListener(request, failure -> reserved.addAndGet(-bytes));
    return true;
  }
}
