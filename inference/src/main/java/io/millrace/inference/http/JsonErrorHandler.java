package io.millrace.inference.http;

import java.util.Locale;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.server.handler.ErrorHandler;
import org.eclipse.jetty.util.Callback;

/** Jetty's own errors, such as for a request that is not HTTP, as JSON and without their causes. */
final class JsonErrorHandler extends ErrorHandler {
  @Override
  protected void generateResponse(
      Request request,
      Response response,
      int code,
      String message,
      Throwable cause,
      Callback callback) {
    Answer.error(response, callback, code, words(code));
  }

  private static String words(int code) {
    return HttpStatus.isServerError(code) && code != HttpStatus.SERVICE_UNAVAILABLE_503
        ? "internal error"
        : HttpStatus.getMessage(code).toLowerCase(Locale.ROOT);
  }
}
