package io.millrace.inference;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.eclipse.jetty.http.HttpHeader;
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

/** {@code POST /v1/predict}. */
final class PredictEndpoint implements Endpoint {
  private static final Logger LOG = LoggerFactory.getLogger(PredictEndpoint.class);

  /** A whole body must be here by then, however steadily it trickles in. */
  private static final Duration BODY_TIMEOUT = Duration.ofSeconds(30);

  private final Predictor predictor;
  private final int maxRequestBytes;
  private final ServingMetrics metrics;
  private final Duration bodyTimeout;

  PredictEndpoint(Predictor predictor, int maxRequestBytes, ServingMetrics metrics) {
    this(predictor, maxRequestBytes, metrics, BODY_TIMEOUT);
  }

  PredictEndpoint(
      Predictor predictor, int maxRequestBytes, ServingMetrics metrics, Duration bodyTimeout) {
    this.predictor = predictor;
    this.maxRequestBytes = maxRequestBytes;
    this.metrics = metrics;
    this.bodyTimeout = bodyTimeout;
  }

  @Override
  public void answer(Request request, Response response, Callback callback) {
    if (request.getLength() > maxRequestBytes) {
      tooLarge(response, callback);
      return;
    }
    // The deadline below is for the body; waiting for the prediction is not being idle.
    request.addIdleTimeoutListener(timeout -> false);
    Scheduler.Task deadline =
        request
            .getComponents()
            .getScheduler()
            .schedule(
                () -> request.fail(new TimeoutException("the body did not arrive in time")),
                bodyTimeout.toMillis(),
                TimeUnit.MILLISECONDS);
    Content.Source.asByteArrayAsync(
        request,
        maxRequestBytes,
        Promise.Invocable.from(
            InvocationType.NON_BLOCKING,
            (body, failure) -> {
              deadline.cancel();
              if (failure == null) {
                predict(body, response, callback);
              } else {
                noBody(failure, response, callback);
              }
            }));
  }

  private void predict(byte[] body, Response response, Callback callback) {
    long arrived = System.nanoTime();
    PredictRequest request;
    try {
      request = PredictRequest.parse(body);
    } catch (PredictRequest.InvalidException e) {
      Answer.error(response, callback, HttpStatus.BAD_REQUEST_400, e.getMessage());
      return;
    }
    predictor
        .predict(request.domain(), request.text())
        .whenComplete(
            (prediction, failure) -> {
              if (failure == null) {
                metrics.predicted(Duration.ofNanos(System.nanoTime() - arrived));
                Answer.send(response, callback, HttpStatus.OK_200, json(prediction, request));
              } else {
                noPrediction(failure, response, callback);
              }
            });
  }

  private static ObjectNode json(Prediction prediction, PredictRequest request) {
    StoredVersion version = prediction.version();
    ObjectNode body = Answer.object();
    body.put("domain", version.domain());
    body.put("label", prediction.label());
    ObjectNode probabilities = body.putObject("probabilities");
    ObjectNode logits = body.putObject("logits");
    List<String> labels = version.labels();
    double[] p = prediction.probabilities();
    for (int i = 0; i < labels.size(); i++) {
      probabilities.put(labels.get(i), p[i]);
      logits.put(labels.get(i), prediction.logits()[i]);
    }
    body.put("version", version.version());
    body.put("sha256", version.sha256());
    if (request.requestId() != null) {
      body.put("requestId", request.requestId());
    }
    return body;
  }

  private static void noPrediction(Throwable failure, Response response, Callback callback) {
    if (!(failure instanceof PredictionException known)) {
      LOG.error("a prediction failed", failure);
      Answer.error(response, callback, HttpStatus.INTERNAL_SERVER_ERROR_500, "internal error");
      return;
    }
    int status =
        switch (known.reason()) {
          case UNKNOWN_DOMAIN -> HttpStatus.NOT_FOUND_404;
          case NOT_LOADED, BUSY -> HttpStatus.SERVICE_UNAVAILABLE_503;
          case NOT_FINITE -> HttpStatus.INTERNAL_SERVER_ERROR_500;
        };
    if (status == HttpStatus.SERVICE_UNAVAILABLE_503) {
      response.getHeaders().put(HttpHeader.RETRY_AFTER, 1);
    }
    Answer.error(response, callback, status, known.getMessage());
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
        "the body is larger than " + maxRequestBytes + " bytes");
  }
}
