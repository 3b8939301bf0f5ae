package io.millrace.inference.http;

import java.util.Set;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;

/**
 * Answers the requests of one path. Must not block: it runs on the thread that reads the
 * connection.
 */
interface Endpoint {
  /** The query parameters that it takes; a request with others is refused. */
  default Set<String> parameters() {
    return Set.of();
  }

  /** Answers now or later. Exactly one answer must complete the callback. */
  void answer(Request request, Response response, Callback callback);
}
