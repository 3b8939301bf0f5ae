package io.millrace.inference.http;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import org.eclipse.jetty.http.HttpField;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.PreEncodedHttpField;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;

/** Sends answers: a status and a JSON object; a few endpoints send other content. */
final class Answer {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final HttpField CONTENT_TYPE =
      new PreEncodedHttpField(HttpHeader.CONTENT_TYPE, "application/json");
  private static final HttpField NO_STORE =
      new PreEncodedHttpField(HttpHeader.CACHE_CONTROL, "no-store");

  /** Browsers must neither guess another type nor show an answer to a page from elsewhere. */
  private static final HttpField NO_SNIFF =
      new PreEncodedHttpField("X-Content-Type-Options", "nosniff");

  private static final HttpField SAME_ORIGIN =
      new PreEncodedHttpField("Cross-Origin-Resource-Policy", "same-origin");

  private Answer() {}

  /** Of every answer, however it is sent. */
  static void forItsOwnPageAlone(Response response) {
    response.getHeaders().put(NO_STORE);
    response.getHeaders().put(NO_SNIFF);
    response.getHeaders().put(SAME_ORIGIN);
  }

  static ObjectNode object() {
    return JsonNodeFactory.instance.objectNode();
  }

  static void send(Response response, Callback callback, int status, ObjectNode body) {
    send(response, callback, status, CONTENT_TYPE, bytes(body));
  }

  static void send(
      Response response, Callback callback, int status, String contentType, byte[] bytes) {
    send(response, callback, status, new HttpField(HttpHeader.CONTENT_TYPE, contentType), bytes);
  }

  /** The status and the headers of an answer with a JSON body. */
  static void putHeaders(Response response, int status) {
    putHeaders(response, status, CONTENT_TYPE);
  }

  private static void putHeaders(Response response, int status, HttpField contentType) {
    response.setStatus(status);
    response.getHeaders().put(contentType);
  }

  private static void send(
      Response response, Callback callback, int status, HttpField contentType, byte[] bytes) {
    putHeaders(response, status, contentType);
    forItsOwnPageAlone(response);
    response.getHeaders().put(HttpHeader.CONTENT_LENGTH, bytes.length);
    response.write(true, ByteBuffer.wrap(bytes), callback);
  }

  static void error(Response response, Callback callback, int status, String message) {
    send(response, callback, status, errorBody(message));
  }

  static ObjectNode errorBody(String message) {
    return object().put("error", message);
  }

  static byte[] bytes(ObjectNode body) {
    try {
      return JSON.writeValueAsBytes(body);
    } catch (JsonProcessingException e) {
      throw new UncheckedIOException(e);
    }
  }
}
