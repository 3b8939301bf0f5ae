package io.millrace.inference.http;

import io.millrace.inference.dashboard.View;
import java.util.Set;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;

/**
 * {@code GET /page/events}: what {@code /v1/dashboard} answers, as server-sent events: now, and
 * whenever it has changed.
 */
public final class PageEventsEndpoint implements Endpoint {
  private static final String TYPE = "text/event-stream";

  private final PageUpdates updates;

  public PageEventsEndpoint(PageUpdates updates) {
    this.updates = updates;
  }

  @Override
  public Set<String> parameters() {
    return DashboardQuery.PARAMETERS;
  }

  @Override
  public void answer(Request request, Response response, Callback callback) {
    String accepted = request.getHeaders().get(HttpHeader.ACCEPT);
    if (accepted == null || !accepted.contains(TYPE) || request.getMethod().equals("HEAD")) {
      // Whoever does not expect a stream would wait for its end.
      Answer.error(
          response,
          callback,
          HttpStatus.NOT_ACCEPTABLE_406,
          "this is a stream without an end: ask with Accept: " + TYPE + ", or ask /v1/dashboard");
      return;
    }
    View view;
    try {
      view = DashboardQuery.view(Query.of(request, DashboardQuery.PARAMETERS));
    } catch (IllegalArgumentException e) {
      Answer.error(response, callback, HttpStatus.BAD_REQUEST_400, e.getMessage());
      return;
    }
    updates.stream(view, request, response, callback, TYPE);
  }
}
