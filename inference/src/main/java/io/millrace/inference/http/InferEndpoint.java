package io.millrace.inference.http;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.inference.metrics.ServingMetrics;
import io.millrace.inference.predict.PredictRequest;
import io.millrace.inference.predict.Prediction;
import io.millrace.inference.predict.Predictor;
import io.millrace.inference.store.StoredVersion;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.function.BiPredicate;
import java.util.function.Consumer;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;

/**
 * {@code POST /v2/models/MODEL[/versions/N]/infer} of the Open Inference Protocol: one input tensor
 * of texts, tensors of labels and scores out. One version answers all texts of a request, or the
 * request fails as a whole.
 */
public final class InferEndpoint implements Endpoint {
  /** The input tensor: BYTES, [texts]. */
  static final String TEXT = "text";

  /** BYTES, [texts]. */
  static final String LABEL = "label";

  /** FP64, [texts, labels]. */
  static final String PROBABILITIES = "probabilities";

  /** FP32, [texts, labels]. */
  static final String LOGITS = "logits";

  /** The names of the columns: BYTES, [labels]. */
  static final String LABELS = "labels";

  /** What feedback on each answer names: BYTES, [texts]. */
  static final String REQUEST_ID = "request_id";

  private static final Set<String> OUTPUTS =
      new LinkedHashSet<>(List.of(LABEL, PROBABILITIES, LOGITS, LABELS, REQUEST_ID));

  /** Clients that send tensors after the JSON say so with it. */
  private static final String BINARY = "Inference-Header-Content-Length";

  private final Predictor predictor;
  private final RequestBody bodies;
  private final int maxInputs;
  private final ServingMetrics metrics;
  private final BiPredicate<PredictRequest, Prediction> served;

  /**
   * @param maxInputs texts in one request, at most
   * @param served called with each prediction before it is sent
   */
  public InferEndpoint(
      Predictor predictor,
      RequestBody bodies,
      int maxInputs,
      ServingMetrics metrics,
      BiPredicate<PredictRequest, Prediction> served) {
    this.predictor = predictor;
    this.bodies = bodies;
    this.maxInputs = maxInputs;
    this.metrics = metrics;
    this.served = served;
  }

  /**
   * A request that was understood.
   *
   * @param id returned with the answer; null where there is none
   * @param outputs the names of those that are asked for
   */
  private record Inference(
      ModelPath path, String id, List<PredictRequest> texts, Set<String> outputs) {}

  @Override
  public void answer(Request request, Response response, Callback callback) {
    ModelPath path = ModelPath.of(Request.getPathInContext(request)).orElseThrow();
    if (request.getHeaders().contains(BINARY)) {
      bodies.refuse(
          request,
          response,
          callback,
          HttpStatus.BAD_REQUEST_400,
          "tensors are sent as JSON here: this server has no binary tensor data extension");
      return;
    }
    bodies.read(request, response, callback, body -> infer(path, body, response, callback));
  }

  private void infer(ModelPath path, byte[] body, Response response, Callback callback) {
    long arrived = System.nanoTime();
    Inference inference;
    try {
      inference = parse(path, JsonBody.parse(body, "the array inputs"));
    } catch (JsonBody.InvalidException e) {
      Answer.error(response, callback, HttpStatus.BAD_REQUEST_400, e.getMessage());
      return;
    }
    List<CompletableFuture<Prediction>> predictions =
        predictor.predict(inference.texts(), path.version());
    CompletableFuture.allOf(predictions.toArray(CompletableFuture[]::new))
        .whenComplete(
            (done, failure) -> {
              PredictEndpoint.Outcome outcome =
                  failure == null
                      ? outcome(
                          inference,
                          predictions.stream().map(CompletableFuture::join).toList(),
                          arrived)
                      : PredictEndpoint.failed(failure);
              PredictEndpoint.send(outcome, null, response, callback);
            });
  }

  private PredictEndpoint.Outcome outcome(
      Inference inference, List<Prediction> predictions, long arrived) {
    Prediction first = predictions.get(0);
    if (first.isOfBase()) {
      return PredictEndpoint.Outcome.error(
          HttpStatus.NOT_FOUND_404, ModelEndpoint.unknown(inference.path().model()));
    }
    String sha256 = first.version().sha256();
    if (predictions.stream().anyMatch(each -> !isOf(each, sha256))) {
      return PredictEndpoint.Outcome.error(
          HttpStatus.SERVICE_UNAVAILABLE_503, "another version came meanwhile; try again");
    }
    for (int i = 0; i < predictions.size(); i++) {
      // Never taken: the ids were drawn for this request.
      served.test(inference.texts().get(i), predictions.get(i));
    }
    String by = PredictEndpoint.servedBy(first, inference.texts().get(0));
    Duration took = Duration.ofNanos(System.nanoTime() - arrived);
    predictions.forEach(each -> metrics.predicted(by, took));
    return new PredictEndpoint.Outcome(HttpStatus.OK_200, json(inference, predictions, by));
  }

  private static boolean isOf(Prediction prediction, String sha256) {
    return !prediction.isOfBase() && prediction.version().sha256().equals(sha256);
  }

  private static ObjectNode json(
      Inference inference, List<Prediction> predictions, String servedBy) {
    StoredVersion version = predictions.get(0).version();
    ObjectNode body = Answer.object();
    body.put("model_name", inference.path().model());
    body.put("model_version", Long.toString(version.version()));
    if (inference.id() != null) {
      body.put("id", inference.id());
    }
    body.putObject("parameters")
        .put("sha256", version.sha256())
        .put("servedBy", servedBy)
        .put("servedDomain", version.domain());
    ArrayNode outputs = body.putArray("outputs");
    int texts = predictions.size();
    int labels = version.labels().size();
    for (String name : inference.outputs()) {
      switch (name) {
        case LABEL ->
            fill(
                tensor(outputs, name, "BYTES", texts),
                data -> predictions.forEach(each -> data.add(each.label())));
        case PROBABILITIES ->
            fill(
                tensor(outputs, name, "FP64", texts, labels),
                data -> predictions.forEach(each -> addAll(data, each.probabilities())));
        case LOGITS ->
            fill(
                tensor(outputs, name, "FP32", texts, labels),
                data -> predictions.forEach(each -> addAll(data, each.logits())));
        case LABELS ->
            fill(
                tensor(outputs, name, "BYTES", labels),
                data -> version.labels().forEach(data::add));
        default ->
            fill(
                tensor(outputs, name, "BYTES", texts),
                data -> inference.texts().forEach(each -> data.add(each.requestId())));
      }
    }
    return body;
  }

  /** Adds a tensor without its data. */
  static ObjectNode tensor(ArrayNode tensors, String name, String datatype, long... shape) {
    ObjectNode tensor = tensors.addObject().put("name", name).put("datatype", datatype);
    ArrayNode dimensions = tensor.putArray("shape");
    for (long dimension : shape) {
      dimensions.add(dimension);
    }
    return tensor;
  }

  private static void fill(ObjectNode tensor, Consumer<ArrayNode> filler) {
    filler.accept(tensor.putArray("data"));
  }

  private static void addAll(ArrayNode data, double[] values) {
    for (double value : values) {
      data.add(value);
    }
  }

  private static void addAll(ArrayNode data, float[] values) {
    for (float value : values) {
      data.add(value);
    }
  }

  private Inference parse(ModelPath path, JsonBody json) throws JsonBody.InvalidException {
    String id = json.optional("id");
    String own = json.has("parameters") ? json.object("parameters").optional("key") : null;
    List<JsonNode> inputs = json.requiredArray("inputs", 1);
    List<String> texts = texts(JsonBody.of(inputs.get(0), "name, shape, datatype and data"));
    String key = own != null ? own : id != null ? id : UUID.randomUUID().toString();
    List<PredictRequest> requests = new ArrayList<>();
    for (String text : texts) {
      requests.add(new PredictRequest(path.model(), text, UUID.randomUUID().toString(), key));
    }
    return new Inference(path, id, requests, outputs(json));
  }

  private List<String> texts(JsonBody input) throws JsonBody.InvalidException {
    String name = input.required("name");
    if (!name.equals(TEXT)) {
      throw new JsonBody.InvalidException(
          "unknown input \"%s\": the one input is \"%s\"".formatted(name, TEXT));
    }
    String datatype = input.required("datatype");
    if (!datatype.equals("BYTES")) {
      throw new JsonBody.InvalidException(
          "input \"%s\" has datatype %s; it must be BYTES".formatted(TEXT, datatype));
    }
    List<JsonNode> shape = input.requiredArray("shape", 2);
    JsonNode count = shape.get(0);
    boolean column =
        shape.size() == 1 || shape.get(1).isIntegralNumber() && shape.get(1).asLong() == 1;
    if (!count.isIntegralNumber() || !column) {
      throw new JsonBody.InvalidException(
          "the shape of input \"%s\" must be [texts] or [texts, 1]".formatted(TEXT));
    }
    List<JsonNode> data = new ArrayList<>();
    for (JsonNode row : input.requiredArray("data", maxInputs)) {
      data.add(row.isArray() && row.size() == 1 ? row.get(0) : row);
    }
    if (count.asLong() != data.size()) {
      throw new JsonBody.InvalidException(
          "input \"%s\" has %d values, and a shape for %s"
              .formatted(TEXT, data.size(), count.asText()));
    }
    List<String> texts = new ArrayList<>();
    for (JsonNode value : data) {
      texts.add(JsonBody.of(Answer.object().set(TEXT, value), TEXT).required(TEXT));
    }
    return texts;
  }

  private static Set<String> outputs(JsonBody json) throws JsonBody.InvalidException {
    if (!json.has("outputs")) {
      return OUTPUTS;
    }
    Set<String> asked = new LinkedHashSet<>();
    for (JsonNode output : json.requiredArray("outputs", OUTPUTS.size())) {
      String name = JsonBody.of(output, "name").required("name");
      if (!OUTPUTS.contains(name)) {
        throw new JsonBody.InvalidException(
            "unknown output \"%s\": there are %s".formatted(name, String.join(", ", OUTPUTS)));
      }
      asked.add(name);
    }
    return asked;
  }
}
