package io.millrace.inference.http;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.client.kafka.TraceContext;
import io.millrace.inference.feedback.Feedback;
import io.millrace.inference.feedback.FeedbackException;
import io.millrace.inference.feedback.FeedbackException.Reason;
import io.millrace.inference.metrics.ServingMetrics;
import java.util.Optional;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeoutException;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** {@code POST /v1/feedback}. */
public final class FeedbackEndpoint implements Endpoint {
  private static final Logger LOG = LoggerFactory.getLogger(FeedbackEndpoint.class);

  /** The limit of examples, in bytes of UTF-8. */
  private static final int MAX_LABEL_BYTES = 1024;

  private final Optional<Feedback> feedback;
  private final RequestBody bodies;
  private final ServingMetrics metrics;

  /**
   * @param feedback empty where it is turned off
   */
  public FeedbackEndpoint(Optional<Feedback> feedback, RequestBody bodies, ServingMetrics metrics) {
    this.feedback = feedback;
    this.bodies = bodies;
    this.metrics = metrics;
  }

  @Override
  public void answer(Request request, Response response, Callback callback) {
    if (feedback.isEmpty()) {
      bodies.refuse(
          request,
          response,
          callback,
          HttpStatus.NOT_FOUND_404,
          "feedback is turned off here: serving.feedbackWindow is none");
      return;
    }
    bodies.read(
        request,
        response,
        callback,
        body -> give(body, RequestTrace.of(request), response, callback));
  }

  private void give(byte[] body, TraceContext trace, Response response, Callback callback) {
    String requestId;
    String label;
    try {
      JsonBody json = JsonBody.parse(body, "the strings requestId and label");
      requestId = json.required("requestId");
      label = json.required("label");
      int bytes = label.getBytes(UTF_8).length;
      if (bytes > MAX_LABEL_BYTES) {
        throw new JsonBody.InvalidException(
            "\"label\" is %d bytes long in UTF-8; %d are allowed"
                .formatted(bytes, MAX_LABEL_BYTES));
      }
    } catch (JsonBody.InvalidException e) {
      Answer.error(response, callback, HttpStatus.BAD_REQUEST_400, e.getMessage());
      return;
    }
    feedback
        .orElseThrow()
        .give(requestId, label, trace)
        .whenComplete(
            (taken, failure) -> {
              if (failure == null) {
                metrics.feedback(taken.again() ? "repeated" : "written");
                Answer.send(response, callback, HttpStatus.OK_200, json(requestId, taken));
              } else {
                notTaken(failure, response, callback);
              }
            });
  }

  private static ObjectNode json(String requestId, Feedback.Taken taken) {
    return Answer.object()
        .put("requestId", requestId)
        .put("domain", taken.request().domain())
        .put("label", taken.example().label())
        .put("partition", taken.example().partition())
        .put("offset", taken.example().offset());
  }

  private void notTaken(Throwable failure, Response response, Callback callback) {
    Throwable cause = failure instanceof CompletionException ? failure.getCause() : failure;
    if (cause instanceof TimeoutException) {
      cause =
          new FeedbackException(
              Reason.NOT_WRITTEN, "Kafka has not confirmed the example in time; try again");
    }
    if (!(cause instanceof FeedbackException known)) {
      LOG.error("feedback failed", cause);
      Answer.error(response, callback, HttpStatus.INTERNAL_SERVER_ERROR_500, "internal error");
      return;
    }
    metrics.feedback(
        switch (known.reason()) {
          case UNKNOWN -> "unknown";
          case NO_EXAMPLE -> "no-example";
          case OTHER_LABEL -> "other-label";
          case NOT_WRITTEN -> "not-written";
        });
    int status =
        switch (known.reason()) {
          case UNKNOWN -> HttpStatus.NOT_FOUND_404;
          case NO_EXAMPLE -> HttpStatus.BAD_REQUEST_400;
          case OTHER_LABEL -> HttpStatus.CONFLICT_409;
          case NOT_WRITTEN -> HttpStatus.SERVICE_UNAVAILABLE_503;
        };
    if (status == HttpStatus.SERVICE_UNAVAILABLE_503) {
      response.getHeaders().put(HttpHeader.RETRY_AFTER, 1);
    }
    Answer.error(response, callback, status, known.getMessage());
  }
}
