package io.millrace.inference.http;

import io.millrace.inference.decide.RolloutRequest;
import java.net.ConnectException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpConnectTimeoutException;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;

/**
 * Hands a request on to a serving process, the first that can be reached, with the token that it
 * shows, and answers what that one answers.
 */
public final class ForwardEndpoint implements Endpoint {
  private static final Duration TIMEOUT = Duration.ofSeconds(30);

  /** What clients may need of an answer, besides its body. */
  private static final List<HttpHeader> KEPT =
      List.of(HttpHeader.RETRY_AFTER, HttpHeader.WWW_AUTHENTICATE);

  private final Supplier<List<URI>> serving;
  private final RequestBody bodies;
  private final HttpClient client =
      HttpClient.newBuilder()
          .version(HttpClient.Version.HTTP_1_1)
          .connectTimeout(Duration.ofSeconds(3))
          .build();

  /**
   * @param serving where the processes listen
   */
  public ForwardEndpoint(Supplier<List<URI>> serving, RequestBody bodies) {
    this.serving = serving;
    this.bodies = bodies;
  }

  /** The routes that a page needs of a serving process: decisions, and what a version answers. */
  public static Map<String, Routes.Route> routes(Supplier<List<URI>> serving, RequestBody bodies) {
    Routes.Route route = new Routes.Route("POST", new ForwardEndpoint(serving, bodies));
    Map<String, Routes.Route> routes = new TreeMap<>();
    for (RolloutRequest.Action action : RolloutRequest.Action.values()) {
      routes.put("/v1/rollouts/" + action.word(), route);
    }
    routes.put(ModelPath.route(true, ModelPath.INFER), route);
    return routes;
  }

  @Override
  public void answer(Request request, Response response, Callback callback) {
    String path = Request.getPathInContext(request);
    String authorization = request.getHeaders().get(HttpHeader.AUTHORIZATION);
    bodies.read(
        request,
        response,
        callback,
        body -> ask(serving.get(), path, authorization, body, response, callback));
  }

  private void ask(
      List<URI> left,
      String path,
      String authorization,
      byte[] body,
      Response response,
      Callback callback) {
    if (left.isEmpty()) {
      response.getHeaders().put(HttpHeader.RETRY_AFTER, 2);
      Answer.error(
          response,
          callback,
          HttpStatus.SERVICE_UNAVAILABLE_503,
          "none of the serving processes can be reached: see dashboard.serving");
      return;
    }
    HttpRequest.Builder asked =
        HttpRequest.newBuilder(left.get(0).resolve(path))
            .timeout(TIMEOUT)
            .header("Content-Type", "application/json")
            .POST(BodyPublishers.ofByteArray(body));
    if (authorization != null) {
      asked.header("Authorization", authorization);
    }
    CompletableFuture<HttpResponse<byte[]>> answer =
        client.sendAsync(asked.build(), BodyHandlers.ofByteArray());
    answer.whenComplete(
        (said, failure) -> {
          if (failure == null) {
            pass(said, response, callback);
          } else if (isUnreachable(failure.getCause())) {
            ask(left.subList(1, left.size()), path, authorization, body, response, callback);
          } else {
            // It may have taken effect: to ask another one could make it happen twice.
            Answer.error(
                response,
                callback,
                HttpStatus.SERVICE_UNAVAILABLE_503,
                left.get(0) + " does not answer: look what has come of it before you try again");
          }
        });
  }

  /** Whether no connection came about, so that nothing can have taken effect. */
  private static boolean isUnreachable(Throwable cause) {
    return cause instanceof ConnectException || cause instanceof HttpConnectTimeoutException;
  }

  private static void pass(HttpResponse<byte[]> said, Response response, Callback callback) {
    for (HttpHeader header : KEPT) {
      said.headers()
          .firstValue(header.asString())
          .ifPresent(value -> response.getHeaders().put(header, value));
    }
    Answer.send(response, callback, said.statusCode(), "application/json", said.body());
  }
}
