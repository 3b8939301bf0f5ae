package io.millrace.inference.http;

import java.util.Locale;
import org.eclipse.jetty.http.HttpException;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.server.handler.ErrorHandler;
import org.eclipse.jetty.util.Callback;

/**
 * Jetty's own errors as JSON: what a client did wrong with the reason, such as the character that
 * is not HTTP; what went wrong here without its cause.
 */
final class JsonErrorHandler extends ErrorHandler {
  @Override
  protected void generateResponse(
      Request request,
      Response response,
      int code,
      String message,
      Throwable cause,
      Callback callback) {
    Answer.error(response, callback, code, words(code, cause));
  }

  private static String words(int code, Throwable cause) {
    if (HttpStatus.isServerError(code) && code != HttpStatus.SERVICE_UNAVAILABLE_503) {
      return "internal error";
    }
    String words = HttpStatus.getMessage(code).toLowerCase(Locale.ROOT);
    return cause instanceof HttpException wrong && wrong.getReason() != null
        ? words + ": " + wrong.getReason()
        : words;
  }
}
