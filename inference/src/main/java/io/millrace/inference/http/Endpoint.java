package io.millrace.inference.http;

import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;

/** What stands behind one path. Never blocks: it runs on the thread that reads the connection. */
interface Endpoint {
  /** Answers now or later; in the end exactly one answer completes the callback. */
  void answer(Request request, Response response, Callback callback);
}
