package io.millrace.inference.http;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;

/** {@code GET /openapi.yaml}: the OpenAPI description of this interface. */
public final class DescriptionEndpoint implements Endpoint {
  private static final String RESOURCE = "/openapi.yaml";

  private final byte[] description = read();

  private static byte[] read() {
    try (InputStream in = DescriptionEndpoint.class.getResourceAsStream(RESOURCE)) {
      return in.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void answer(Request request, Response response, Callback callback) {
    Answer.send(response, callback, HttpStatus.OK_200, "application/yaml", description);
  }
}
