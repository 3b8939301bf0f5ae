package io.millrace.inference.http;

import io.millrace.client.kafka.TraceContext;
import io.millrace.client.rollout.RolloutJson;
import io.millrace.inference.decide.RolloutDesk;
import io.millrace.inference.decide.RolloutFailedException;
import io.millrace.inference.decide.RolloutRequest;
import io.millrace.inference.metrics.ServingMetrics;
import io.millrace.schemas.rollout.RolloutHistory;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CompletionException;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** {@code POST /v1/rollouts/ACTION}: decisions, for clients that show the token. */
public final class RolloutDecisionEndpoint implements Endpoint {
  private static final Logger LOG = LoggerFactory.getLogger(RolloutDecisionEndpoint.class);

  private final RolloutRequest.Action action;
  private final RolloutDesk desk;
  private final boolean open;
  private final RequestBody bodies;
  private final ServingMetrics metrics;

  /**
   * @param open whether any client may decide
   */
  RolloutDecisionEndpoint(
      RolloutRequest.Action action,
      RolloutDesk desk,
      boolean open,
      RequestBody bodies,
      ServingMetrics metrics) {
    this.action = action;
    this.desk = desk;
    this.open = open;
    this.bodies = bodies;
    this.metrics = metrics;
  }

  /**
   * The endpoints of rollouts, by path.
   *
   * @param token empty where no client may decide
   */
  public static Map<String, Routes.Route> routes(
      RolloutDesk desk,
      Listings listings,
      Optional<BearerToken> token,
      RequestBody bodies,
      ServingMetrics metrics) {
    Map<String, Routes.Route> routes = new TreeMap<>();
    routes.put("/v1/rollouts", new Routes.Route("GET", new RolloutsEndpoint(desk, listings)));
    routes.put(
        "/v1/rollouts/history",
        new Routes.Route("GET", new RolloutHistoryEndpoint(desk, listings)));
    for (RolloutRequest.Action action : RolloutRequest.Action.values()) {
      routes.put(
          "/v1/rollouts/" + action.word(),
          new Routes.Route(
              "POST",
              new RolloutDecisionEndpoint(action, desk, token.isPresent(), bodies, metrics),
              token));
    }
    return routes;
  }

  @Override
  public void answer(Request request, Response response, Callback callback) {
    if (!open) {
      bodies.refuse(
          request,
          response,
          callback,
          HttpStatus.FORBIDDEN_403,
          "nobody may decide over HTTP here: neither serving.rolloutToken nor"
              + " serving.rolloutTokenFile is set");
      return;
    }
    bodies.read(
        request,
        response,
        callback,
        body -> decide(body, RequestTrace.of(request), response, callback));
  }

  private void decide(byte[] body, TraceContext trace, Response response, Callback callback) {
    RolloutRequest request;
    try {
      request = RolloutRequestBody.parse(action, body, trace);
    } catch (JsonBody.InvalidException e) {
      Answer.error(response, callback, HttpStatus.BAD_REQUEST_400, e.getMessage());
      return;
    }
    desk.decide(request)
        .whenComplete(
            (entry, failure) -> {
              if (failure == null) {
                decided(entry, response, callback);
              } else {
                count(outcome(fail(failure, response, callback)));
              }
            });
  }

  private void decided(RolloutHistory.Entry entry, Response response, Callback callback) {
    count("effect");
    LOG.info(
        "domain {}: {} by {} makes revision {}",
        entry.event().getDomain(),
        action.word(),
        entry.event().getAuthor(),
        entry.after().revision());
    Answer.send(response, callback, HttpStatus.OK_200, RolloutJson.rollout(entry.after()));
  }

  /**
   * Answers with a failure.
   *
   * @return the status of the answer
   */
  static int fail(Throwable failure, Response response, Callback callback) {
    Throwable cause = failure instanceof CompletionException ? failure.getCause() : failure;
    if (!(cause instanceof RolloutFailedException known)) {
      LOG.error("a request about rollouts failed", cause);
      Answer.error(response, callback, HttpStatus.INTERNAL_SERVER_ERROR_500, "internal error");
      return HttpStatus.INTERNAL_SERVER_ERROR_500;
    }
    int status =
        switch (known.reason()) {
          case UNKNOWN_DOMAIN -> HttpStatus.NOT_FOUND_404;
          case REFUSED -> HttpStatus.BAD_REQUEST_400;
          case STALE -> HttpStatus.CONFLICT_409;
          case NO_ANSWER -> HttpStatus.SERVICE_UNAVAILABLE_503;
        };
    if (status == HttpStatus.SERVICE_UNAVAILABLE_503) {
      response.getHeaders().put(HttpHeader.RETRY_AFTER, 1);
    }
    Answer.error(response, callback, status, known.getMessage());
    return status;
  }

  private static String outcome(int status) {
    return switch (status) {
      case HttpStatus.CONFLICT_409 -> "stale";
      case HttpStatus.SERVICE_UNAVAILABLE_503 -> "no-answer";
      case HttpStatus.INTERNAL_SERVER_ERROR_500 -> "failed";
      default -> "refused";
    };
  }

  private void count(String outcome) {
    metrics.decision(action.word(), outcome);
  }
}
