package io.millrace.inference.http;

import io.millrace.client.kafka.TraceContext;
import java.util.List;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;

/** The trace that a request names in its headers. */
final class RequestTrace {
  private RequestTrace() {}

  static TraceContext of(Request request) {
    List<String> parents = request.getHeaders().getValuesList(TraceContext.TRACEPARENT);
    // Of two, nobody knows which is right.
    return parents.size() == 1
        ? TraceContext.of(
            parents.get(0),
            String.join(",", request.getHeaders().getValuesList(TraceContext.TRACESTATE)))
        : TraceContext.NONE;
  }

  /** The answer names the trace of its request. */
  static void answer(Request request, Response response) {
    TraceContext trace = of(request);
    if (trace.isPresent()) {
      response.getHeaders().put(TraceContext.TRACEPARENT, trace.traceparent());
    }
  }
}
