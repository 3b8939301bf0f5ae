package io.millrace.inference.http;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.inference.serving.AdapterCatalog;
import io.millrace.inference.serving.LiveAdapter;
import io.millrace.inference.serving.ServedDomain;
import io.millrace.inference.store.StoredVersion;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;

/**
 * {@code GET /v2/models/MODEL} and {@code .../ready} of the Open Inference Protocol. The versions
 * of a model are those that serve: one, or two while a candidate is tried.
 */
public final class ModelEndpoint implements Endpoint {
  private final AdapterCatalog catalog;
  private final Listings readers;

  /**
   * @param readers read what is in the store alone
   */
  private ModelEndpoint(AdapterCatalog catalog, Listings readers) {
    this.catalog = catalog;
    this.readers = readers;
  }

  /**
   * The routes of all models, of those that serve and of a version that is asked for.
   *
   * @param infer answers {@code .../infer}
   * @param token what clients must show for it
   */
  public static Map<String, Routes.Route> routes(
      AdapterCatalog catalog, Listings readers, InferEndpoint infer, Optional<BearerToken> token) {
    ModelEndpoint model = new ModelEndpoint(catalog, readers);
    Map<String, Routes.Route> routes = new TreeMap<>();
    for (boolean ofVersion : new boolean[] {false, true}) {
      routes.put(ModelPath.route(ofVersion, ""), new Routes.Route("GET", model));
      routes.put(ModelPath.route(ofVersion, ModelPath.READY), new Routes.Route("GET", model));
      routes.put(
          ModelPath.route(ofVersion, ModelPath.INFER), new Routes.Route("POST", infer, token));
    }
    return routes;
  }

  @Override
  public void answer(Request request, Response response, Callback callback) {
    ModelPath path = ModelPath.of(Request.getPathInContext(request)).orElseThrow();
    readers.run(response, callback, once -> answer(path, response, once));
  }

  private void answer(ModelPath path, Response response, Callback callback) {
    if (!catalog.isLoaded()) {
      Answer.error(
          response, callback, HttpStatus.SERVICE_UNAVAILABLE_503, "the model is still loading");
      return;
    }
    List<StoredVersion> versions = catalog.find(path.model()).map(this::versions).orElse(null);
    if (versions == null) {
      Answer.error(response, callback, HttpStatus.NOT_FOUND_404, unknown(path.model()));
      return;
    }
    List<StoredVersion> asked =
        versions.stream().filter(each -> isAsked(path.version(), each)).toList();
    if (path.version().isPresent() && asked.isEmpty()) {
      Answer.error(
          response,
          callback,
          HttpStatus.NOT_FOUND_404,
          notServed(path.model(), path.version().getAsLong()));
    } else if (path.action().equals(ModelPath.READY)) {
      boolean ready = !asked.isEmpty();
      Answer.send(
          response,
          callback,
          ready ? HttpStatus.OK_200 : HttpStatus.SERVICE_UNAVAILABLE_503,
          Answer.object().put("name", path.model()).put("ready", ready));
    } else {
      Answer.send(response, callback, HttpStatus.OK_200, metadata(path.model(), asked));
    }
  }

  private static boolean isAsked(OptionalLong version, StoredVersion each) {
    return version.isEmpty() || version.getAsLong() == each.version();
  }

  /** Those that answer, or will once the domain is loaded. */
  private List<StoredVersion> versions(ServedDomain domain) {
    return domain.isLoaded()
        ? domain.assigned().stream()
            .flatMap(now -> Stream.of(now.stable(), now.candidate()))
            .filter(Objects::nonNull)
            .map(LiveAdapter::version)
            .toList()
        : domain.expected().stream()
            .flatMap(next -> Stream.of(next.stable(), next.candidate()))
            .filter(Objects::nonNull)
            .toList();
  }

  private static ObjectNode metadata(String model, List<StoredVersion> versions) {
    ObjectNode body = Answer.object();
    body.put("name", model);
    ArrayNode numbers = body.putArray("versions");
    versions.forEach(version -> numbers.add(Long.toString(version.version())));
    body.put("platform", "millrace");
    InferEndpoint.tensor(body.putArray("inputs"), InferEndpoint.TEXT, "BYTES", -1);
    long[] counts =
        versions.stream().mapToLong(version -> version.labels().size()).distinct().toArray();
    long labels = counts.length == 1 ? counts[0] : -1;
    ArrayNode outputs = body.putArray("outputs");
    InferEndpoint.tensor(outputs, InferEndpoint.LABEL, "BYTES", -1);
    InferEndpoint.tensor(outputs, InferEndpoint.PROBABILITIES, "FP64", -1, labels);
    InferEndpoint.tensor(outputs, InferEndpoint.LOGITS, "FP32", -1, labels);
    InferEndpoint.tensor(outputs, InferEndpoint.LABELS, "BYTES", labels);
    InferEndpoint.tensor(outputs, InferEndpoint.REQUEST_ID, "BYTES", -1);
    return body;
  }

  static String unknown(String model) {
    return "unknown model \"%s\": no version of this domain serves".formatted(model);
  }

  private static String notServed(String model, long version) {
    return "version %d of model \"%s\" does not serve here".formatted(version, model);
  }
}
