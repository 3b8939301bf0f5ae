package io.millrace.inference;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.util.Promise;
import org.eclipse.jetty.util.thread.Invocable.InvocationType;
import org.eclipse.jetty.util.thread.Scheduler;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads bodies to their end, and answers whoever sends too much or too slowly.
 *
 * @param maxBytes of one body
 * @param timeout a whole body must be here by then, however steadily it trickles in
 */
record RequestBody(int maxBytes, Duration timeout) {
  private static final Logger LOG = LoggerFactory.getLogger(RequestBody.class);
  private static final Duration TIMEOUT = Duration.ofSeconds(30);

  RequestBody(int maxBytes) {
    this(maxBytes, TIMEOUT);
  }

  /** Hands over the body once it is whole; where it does not come to that, answers itself. */
  void read(Request request, Response response, Callback callback, Consumer<byte[]> whole) {
    if (request.getLength() > maxBytes) {
      tooLarge(response, callback);
      return;
    }
    // The deadline below is for the body; waiting for what is made of it is not being idle.
    request.addIdleTimeoutListener(idle -> false);
    Scheduler.Task deadline =
        request
            .getComponents()
            .getScheduler()
            .schedule(
                () -> request.fail(new TimeoutException("the body did not arrive in time")),
                timeout.toMillis(),
                TimeUnit.MILLISECONDS);
    Content.Source.asByteArrayAsync(
        request,
        maxBytes,
        Promise.Invocable.from(
            InvocationType.NON_BLOCKING,
            (body, failure) -> {
              deadline.cancel();
              if (failure == null) {
                whole.accept(body);
              } else {
                noBody(failure, response, callback);
              }
            }));
  }

  private void noBody(Throwable failure, Response response, Callback callback) {
    if (failure instanceof TimeoutException) {
      Answer.error(
          response, callback, HttpStatus.REQUEST_TIMEOUT_408, "the body did not arrive in time");
    } else if (failure instanceof IllegalStateException) {
      // Jetty's way to say that more bytes came than were asked for.
      tooLarge(response, callback);
    } else {
      LOG.debug("a request's body could not be read", failure);
      Answer.error(
          response, callback, HttpStatus.BAD_REQUEST_400, "the body could not be read to its end");
    }
  }

  private void tooLarge(Response response, Callback callback) {
    Answer.error(
        response,
        callback,
        HttpStatus.PAYLOAD_TOO_LARGE_413,
        "the body is larger than " + maxBytes + " bytes");
  }
}
