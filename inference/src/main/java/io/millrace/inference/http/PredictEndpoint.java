package io.millrace.inference.http;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.inference.metrics.ServingMetrics;
import io.millrace.inference.predict.PredictRequest;
import io.millrace.inference.predict.Prediction;
import io.millrace.inference.predict.PredictionException;
import io.millrace.inference.predict.Predictor;
import io.millrace.inference.store.StoredVersion;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
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

/**
 * {@code POST /v1/predict}: one text, or a list of texts. Each text of a list is answered as if it
 * had come alone, so an error of one leaves the others as they are.
 */
public final class PredictEndpoint implements Endpoint {
  private static final Logger LOG = LoggerFactory.getLogger(PredictEndpoint.class);

  /** The most that a job can be set to train on. What is longer can never be a domain. */
  private static final int MAX_DOMAIN_BYTES = 4 << 10;

  private static final String INPUTS = "inputs";
  private static final String DUE = "the strings domain and text";

  private final Predictor predictor;
  private final RequestBody bodies;
  private final int maxInputs;
  private final ServingMetrics metrics;
  private final Predicate<PredictRequest> taken;
  private final BiPredicate<PredictRequest, Prediction> served;

  /**
   * @param maxInputs texts in one list, at most
   * @param taken whether another request has this one's id
   * @param served called with each prediction before it is sent; false where another request has
   *     taken its id meanwhile
   */
  public PredictEndpoint(
      Predictor predictor,
      RequestBody bodies,
      int maxInputs,
      ServingMetrics metrics,
      Predicate<PredictRequest> taken,
      BiPredicate<PredictRequest, Prediction> served) {
    this.predictor = predictor;
    this.bodies = bodies;
    this.maxInputs = maxInputs;
    this.metrics = metrics;
    this.taken = taken;
    this.served = served;
  }

  /** The answer to one text: a prediction or an error. */
  record Outcome(int status, ObjectNode body) {
    static Outcome error(int status, String message) {
      return new Outcome(status, Answer.errorBody(message));
    }
  }

  @Override
  public void answer(Request request, Response response, Callback callback) {
    bodies.read(request, response, callback, body -> predict(body, response, callback));
  }

  private void predict(byte[] body, Response response, Callback callback) {
    long arrived = System.nanoTime();
    try {
      JsonBody json = JsonBody.parse(body, DUE + ", or the array inputs");
      if (json.has(INPUTS)) {
        predictAll(json, arrived)
            .whenComplete((outcomes, failure) -> sendAll(outcomes, failure, response, callback));
      } else {
        predict(parse(json), arrived)
            .whenComplete((outcome, failure) -> send(outcome, failure, response, callback));
      }
    } catch (JsonBody.InvalidException e) {
      Answer.error(response, callback, HttpStatus.BAD_REQUEST_400, e.getMessage());
    }
  }

  private CompletableFuture<Outcome> predict(PredictRequest request, long arrived) {
    if (taken.test(request)) {
      return CompletableFuture.completedFuture(idInUse());
    }
    return predictor
        .predict(request.domain(), request.text(), request.key())
        .handle((prediction, failure) -> outcome(request, prediction, failure, arrived));
  }

  /**
   * @return completes with one outcome for each input, in their order
   */
  private CompletableFuture<List<Outcome>> predictAll(JsonBody json, long arrived)
      throws JsonBody.InvalidException {
    if (json.has("domain") || json.has("text")) {
      throw new JsonBody.InvalidException("send either domain and text or inputs");
    }
    List<JsonNode> inputs = json.requiredArray(INPUTS, maxInputs);
    List<CompletableFuture<Outcome>> outcomes = new ArrayList<>();
    Map<String, PredictRequest> byId = new HashMap<>();
    List<PredictRequest> asked = new ArrayList<>();
    List<Integer> places = new ArrayList<>();
    for (int i = 0; i < inputs.size(); i++) {
      Outcome refused = null;
      try {
        PredictRequest request = parse(JsonBody.of(inputs.get(i), DUE));
        PredictRequest before = byId.putIfAbsent(request.requestId(), request);
        if (before != null && !asksTheSame(before, request) || taken.test(request)) {
          refused = idInUse();
        } else {
          asked.add(request);
          places.add(i);
        }
      } catch (JsonBody.InvalidException e) {
        refused = Outcome.error(HttpStatus.BAD_REQUEST_400, e.getMessage());
      }
      outcomes.add(CompletableFuture.completedFuture(refused));
    }
    List<CompletableFuture<Prediction>> predictions = predictor.predict(asked);
    for (int i = 0; i < asked.size(); i++) {
      PredictRequest request = asked.get(i);
      outcomes.set(
          places.get(i),
          predictions
              .get(i)
              .handle((prediction, failure) -> outcome(request, prediction, failure, arrived)));
    }
    return CompletableFuture.allOf(outcomes.toArray(CompletableFuture[]::new))
        .thenApply(done -> outcomes.stream().map(CompletableFuture::join).toList());
  }

  private static boolean asksTheSame(PredictRequest one, PredictRequest other) {
    return one.domain().equals(other.domain()) && one.text().equals(other.text());
  }

  private void sendAll(
      List<Outcome> outcomes, Throwable failure, Response response, Callback callback) {
    if (failure != null) {
      send(null, failure, response, callback);
      return;
    }
    outcomes.forEach(outcome -> metrics.answeredInput(outcome.status()));
    Outcome first = outcomes.get(0);
    if (outcomes.stream().allMatch(each -> each.status() == HttpStatus.SERVICE_UNAVAILABLE_503)) {
      // Nothing was answered: whoever sends requests again, or elsewhere, must see that.
      send(first, null, response, callback);
      return;
    }
    ObjectNode body = Answer.object();
    ArrayNode answers = body.putArray("answers");
    for (Outcome outcome : outcomes) {
      answers.addObject().put("status", outcome.status()).setAll(outcome.body());
    }
    send(new Outcome(HttpStatus.OK_200, body), null, response, callback);
  }

  static void send(Outcome outcome, Throwable failure, Response response, Callback callback) {
    Outcome sent = failure == null ? outcome : failed(failure);
    if (sent.status() == HttpStatus.SERVICE_UNAVAILABLE_503) {
      response.getHeaders().put(HttpHeader.RETRY_AFTER, 1);
    }
    Answer.send(response, callback, sent.status(), sent.body());
  }

  private static Outcome idInUse() {
    return Outcome.error(
        HttpStatus.CONFLICT_409,
        "another request has this requestId: choose another, or leave it out");
  }

  private static PredictRequest parse(JsonBody json) throws JsonBody.InvalidException {
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

  private Outcome outcome(
      PredictRequest request, Prediction prediction, Throwable failure, long arrived) {
    if (failure != null) {
      return failed(failure);
    }
    if (!served.test(request, prediction)) {
      return idInUse();
    }
    metrics.predicted(servedBy(prediction, request), Duration.ofNanos(System.nanoTime() - arrived));
    return new Outcome(HttpStatus.OK_200, json(prediction, request));
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

  static String servedBy(Prediction prediction, PredictRequest request) {
    if (prediction.isOfBase()) {
      return "base";
    }
    return prediction.servedDomain().equals(request.domain()) ? "domain" : "parent";
  }

  static Outcome failed(Throwable failure) {
    // Of a text that waited for its domain to be loaded, the failure comes wrapped.
    Throwable cause = failure instanceof CompletionException ? failure.getCause() : failure;
    if (!(cause instanceof PredictionException known)) {
      LOG.error("a prediction failed", cause);
      return Outcome.error(HttpStatus.INTERNAL_SERVER_ERROR_500, "internal error");
    }
    int status =
        switch (known.reason()) {
          case UNKNOWN_DOMAIN, NOT_SERVED -> HttpStatus.NOT_FOUND_404;
          case NOT_LOADED, BUSY -> HttpStatus.SERVICE_UNAVAILABLE_503;
          case NOT_FINITE -> HttpStatus.INTERNAL_SERVER_ERROR_500;
        };
    return Outcome.error(status, known.getMessage());
  }
}
