package io.millrace.inference.http;

import com.fasterxml.jackson.databind.node.ObjectNode;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;

/** {@code GET /v2} of the Open Inference Protocol: what serves. */
public final class ServerMetadataEndpoint implements Endpoint {
  private final String version;

  /**
   * @param version of this release
   */
  public ServerMetadataEndpoint(String version) {
    this.version = version;
  }

  @Override
  public void answer(Request request, Response response, Callback callback) {
    ObjectNode body = Answer.object().put("name", "millrace").put("version", version);
    body.putArray("extensions");
    Answer.send(response, callback, HttpStatus.OK_200, body);
  }
}
