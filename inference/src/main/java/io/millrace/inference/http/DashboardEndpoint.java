package io.millrace.inference.http;

import io.millrace.inference.dashboard.View;
import java.util.Set;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;

/** {@code GET /v1/dashboard}: what the page shows, once. */
public final class DashboardEndpoint implements Endpoint {
  private final PageUpdates updates;

  public DashboardEndpoint(PageUpdates updates) {
    this.updates = updates;
  }

  @Override
  public Set<String> parameters() {
    return DashboardQuery.PARAMETERS;
  }

  @Override
  public void answer(Request request, Response response, Callback callback) {
    View view;
    try {
      view = DashboardQuery.view(Query.of(request, DashboardQuery.PARAMETERS));
    } catch (IllegalArgumentException e) {
      Answer.error(response, callback, HttpStatus.BAD_REQUEST_400, e.getMessage());
      return;
    }
    updates.answer(view, response, callback);
  }
}
