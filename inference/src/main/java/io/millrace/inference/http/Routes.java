package io.millrace.inference.http;

import io.millrace.inference.metrics.ServingMetrics;
import java.util.Map;
import java.util.Optional;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;

/** Finds the endpoint of a path for those who may ask for it, and counts the answers. */
public final class Routes extends Handler.Abstract.NonBlocking {
  /**
   * @param method the HTTP method it takes; GET takes HEAD as well
   * @param token what clients must show; empty where they need none
   */
  public record Route(String method, Endpoint endpoint, Optional<BearerToken> token) {
    /** A route that needs no token. */
    public Route(String method, Endpoint endpoint) {
      this(method, endpoint, Optional.empty());
    }

    private boolean takes(String asked) {
      return asked.equals(method) || (asked.equals("HEAD") && method.equals("GET"));
    }

    private String allowed() {
      return method.equals("GET") ? "GET, HEAD" : method;
    }
  }

  private static final String EVENTS = "/page/events";

  /** Reads the bodies of requests that no endpoint sees. */
  private static final RequestBody UNWANTED = new RequestBody(0);

  /**
   * The routes of the page.
   *
   * @param token what clients must show for what it shows
   */
  public static Map<String, Route> ofPage(PageUpdates updates, Optional<BearerToken> token) {
    PageEndpoint page = new PageEndpoint();
    return Map.of(
        "/",
        new Route("GET", page),
        PageEndpoint.FILE_ROUTE,
        new Route("GET", page),
        EVENTS,
        new Route("GET", new PageEventsEndpoint(updates), token),
        "/v1/dashboard",
        new Route("GET", new DashboardEndpoint(updates), token));
  }

  private final Map<String, Route> routes;
  private final WebAccess access;
  private final ServingMetrics metrics;

  Routes(Map<String, Route> routes, WebAccess access, ServingMetrics metrics) {
    this.routes = Map.copyOf(routes);
    this.access = access;
    this.metrics = metrics;
  }

  @Override
  public boolean handle(Request request, Response response, Callback callback) {
    String path = route(Request.getPathInContext(request));
    Route route = routes.get(path);
    String endpoint = route == null ? ServingMetrics.NO_ENDPOINT : path;
    Request.addCompletionListener(
        request, failure -> metrics.answered(endpoint, response.getStatus()));
    Answer.forItsOwnPageAlone(response);
    RequestTrace.answer(request, response);
    Optional<String> objection = access.objection(request);
    if (objection.isPresent()) {
      UNWANTED.refuse(request, response, callback, HttpStatus.FORBIDDEN_403, objection.get());
      return true;
    }
    access.share(request, response);
    if (route == null) {
      UNWANTED.refuse(request, response, callback, HttpStatus.NOT_FOUND_404, "no such path");
    } else if (access.isPreflight(request)) {
      access.answerPreflight(response, callback, route.allowed());
    } else if (!route.takes(request.getMethod())) {
      response.getHeaders().put(HttpHeader.ALLOW, route.allowed());
      UNWANTED.refuse(
          request, response, callback, HttpStatus.METHOD_NOT_ALLOWED_405, "use " + route.allowed());
    } else if (isShown(route, request)) {
      answer(route.endpoint(), request, response, callback);
    } else {
      response.getHeaders().put(HttpHeader.WWW_AUTHENTICATE, "Bearer");
      UNWANTED.refuse(
          request,
          response,
          callback,
          HttpStatus.UNAUTHORIZED_401,
          request.getHeaders().contains(HttpHeader.AUTHORIZATION)
              ? "that is not the token"
              : "a token is needed: send Authorization: Bearer TOKEN");
    }
    return true;
  }

  private static void answer(
      Endpoint endpoint, Request request, Response response, Callback callback) {
    try {
      Query.of(request, endpoint.parameters());
    } catch (IllegalArgumentException e) {
      UNWANTED.refuse(request, response, callback, HttpStatus.BAD_REQUEST_400, e.getMessage());
      return;
    }
    endpoint.answer(request, response, callback);
  }

  /** The route that answers a path: one for all models, and one for all files of the page. */
  static String route(String path) {
    return PageEndpoint.isFile(path) && !path.equals(EVENTS)
        ? PageEndpoint.FILE_ROUTE
        : ModelPath.route(path);
  }

  private static boolean isShown(Route route, Request request) {
    String authorization = request.getHeaders().get(HttpHeader.AUTHORIZATION);
    return route.token().map(token -> token.isShownBy(authorization)).orElse(true);
  }
}
