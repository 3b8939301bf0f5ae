package io.millrace.inference.http;

import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;

/** {@code GET /health/live}: the process runs. */
public final class LiveEndpoint implements Endpoint {
  @Override
  public void answer(Request request, Response response, Callback callback) {
    Answer.send(response, callback, HttpStatus.OK_200, Answer.object().put("live", true));
  }
}
