package io.millrace.inference.http;

import io.millrace.inference.metrics.ServingMetrics;
import java.util.Map;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;

/** Finds the endpoint of a path, and counts the answers. */
public final class Routes extends Handler.Abstract.NonBlocking {
  /**
   * @param method the HTTP method it takes; GET takes HEAD as well
   */
  public record Route(String method, Endpoint endpoint) {
    private boolean takes(String asked) {
      return asked.equals(method) || (asked.equals("HEAD") && method.equals("GET"));
    }

    private String allowed() {
      return method.equals("GET") ? "GET, HEAD" : method;
    }
  }

  private final Map<String, Route> routes;
  private final ServingMetrics metrics;

  Routes(Map<String, Route> routes, ServingMetrics metrics) {
    this.routes = Map.copyOf(routes);
    this.metrics = metrics;
  }

  @Override
  public boolean handle(Request request, Response response, Callback callback) {
    String path = Request.getPathInContext(request);
    Route route = routes.get(path);
    String endpoint = route == null ? ServingMetrics.NO_ENDPOINT : path;
    Request.addCompletionListener(
        request, failure -> metrics.answered(endpoint, response.getStatus()));
    if (route == null) {
      Answer.error(response, callback, HttpStatus.NOT_FOUND_404, "no such path");
    } else if (!route.takes(request.getMethod())) {
      response.getHeaders().put(HttpHeader.ALLOW, route.allowed());
      Answer.error(response, callback, HttpStatus.METHOD_NOT_ALLOWED_405, "use " + route.allowed());
    } else {
      route.endpoint().answer(request, response, callback);
    }
    return true;
  }
}
