package io.millrace.inference.http;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.inference.metrics.ServingMetrics;
import io.millrace.inference.predict.PredictRequest;
import io.millrace.inference.predict.Prediction;
import io.millrace.inference.predict.PredictionException;
import io.millrace.inference.predict.Predictor;
import io.millrace.inference.store.StoredVersion;
import java.time.Duration;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletionException;
import java.util.function.BiPredicate;
import java.util.function.Predicate;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** {@code POST /v1/predict}. */
public final class PredictEndpoint implements Endpoint {
  private static final Logger LOG = LoggerFactory.getLogger(PredictEndpoint.class);

  /** The most that a job can be set to train on. What is longer can never be a domain. */
  private static final int MAX_DOMAIN_BYTES = 4 << 10;

  private final Predictor predictor;
  private final RequestBody bodies;
  private final ServingMetrics metrics;
  private final Predicate<PredictRequest> taken;
  private final BiPredicate<PredictRequest, Prediction> served;

  /**
   * @param taken whether another request has this one's id
   * @param served called with each prediction before it is sent; false where another request has
   *     taken its id meanwhile
   */
  public PredictEndpoint(
      Predictor predictor,
      RequestBody bodies,
      ServingMetrics metrics,
      Predicate<PredictRequest> taken,
      BiPredicate<PredictRequest, Prediction> served) {
    this.predictor = predictor;
    this.bodies = bodies;
    this.metrics = metrics;
    this.taken = taken;
    this.served = served;
  }

  @Override
  public void answer(Request request, Response response, Callback callback) {
    bodies.read(request, response, callback, body -> predict(body, response, callback));
  }

  private void predict(byte[] body, Response response, Callback callback) {
    long arrived = System.nanoTime();
    PredictRequest request;
    try {
      request = parse(body);
    } catch (JsonBody.InvalidException e) {
      Answer.error(response, callback, HttpStatus.BAD_REQUEST_400, e.getMessage());
      return;
    }
    if (taken.test(request)) {
      refuseId(response, callback);
      return;
    }
    predictor
        .predict(request.domain(), request.text(), request.key())
        .whenComplete(
            (prediction, failure) -> {
              if (failure != null) {
                noPrediction(failure, response, callback);
              } else if (served.test(request, prediction)) {
                metrics.predicted(
                    servedBy(prediction, request), Duration.ofNanos(System.nanoTime() - arrived));
                Answer.send(response, callback, HttpStatus.OK_200, json(prediction, request));
              } else {
                refuseId(response, callback);
              }
            });
  }

  private static void refuseId(Response response, Callback callback) {
    Answer.error(
        response,
        callback,
        HttpStatus.CONFLICT_409,
        "another request has this requestId: choose another, or leave it out");
  }

  private static PredictRequest parse(byte[] body) throws JsonBody.InvalidException {
    JsonBody json = JsonBody.parse(body, "the strings domain and text");
    String domain = json.required("domain");
    if (domain.getBytes(UTF_8).length > MAX_DOMAIN_BYTES) {
      throw new JsonBody.InvalidException(
          "\"domain\" is longer than the %d bytes of UTF-8 that a domain may have"
              .formatted(MAX_DOMAIN_BYTES));
    }
    String text = json.required("text");
    String own = json.optional("requestId");
    String requestId = own == null ? UUID.randomUUID().toString() : own;
    String key = json.optional("key");
    return new PredictRequest(domain, text, requestId, key == null ? requestId : key);
  }

  private static ObjectNode json(Prediction prediction, PredictRequest request) {
    StoredVersion version = prediction.version();
    ObjectNode body = Answer.object();
    body.put("domain", request.domain());
    body.put("servedBy", servedBy(prediction, request));
    body.put("servedDomain", prediction.servedDomain());
    body.put("label", prediction.label());
    ObjectNode probabilities = body.putObject("probabilities");
    ObjectNode logits = body.putObject("logits");
    List<String> labels = prediction.isOfBase() ? List.of() : version.labels();
    double[] p = prediction.probabilities();
    for (int i = 0; i < labels.size(); i++) {
      probabilities.put(labels.get(i), p[i]);
      logits.put(labels.get(i), prediction.logits()[i]);
    }
    body.put("version", prediction.isOfBase() ? null : version.version());
    body.put("sha256", prediction.isOfBase() ? null : version.sha256());
    body.put("requestId", request.requestId());
    if (prediction.isOfBase()) {
      ArrayNode embedding = body.putArray("embedding");
      for (float value : prediction.embedding()) {
        embedding.add(value);
      }
    }
    return body;
  }

  private static String servedBy(Prediction prediction, PredictRequest request) {
    if (prediction.isOfBase()) {
      return "base";
    }
    return prediction.servedDomain().equals(request.domain()) ? "domain" : "parent";
  }

  private static void noPrediction(Throwable failure, Response response, Callback callback) {
    // Of a text that waited for its domain to be loaded, the failure comes wrapped.
    Throwable cause = failure instanceof CompletionException ? failure.getCause() : failure;
    if (!(cause instanceof PredictionException known)) {
      LOG.error("a prediction failed", cause);
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
}
