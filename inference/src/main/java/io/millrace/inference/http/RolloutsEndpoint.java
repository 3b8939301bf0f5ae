package io.millrace.inference.http;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.client.rollout.RolloutJson;
import io.millrace.inference.decide.RolloutDesk;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.util.Fields;

/** {@code GET /v1/rollouts}, of all domains or, with {@code ?domain=}, of one. */
final class RolloutsEndpoint implements Endpoint {
  private final RolloutDesk desk;

  RolloutsEndpoint(RolloutDesk desk) {
    this.desk = desk;
  }

  @Override
  public void answer(Request request, Response response, Callback callback) {
    Fields.Field asked = Request.extractQueryParameters(request).get("domain");
    ObjectNode body = Answer.object();
    ArrayNode domains = body.putArray("domains");
    if (asked == null) {
      desk.domains().forEach(domain -> domains.add(RolloutJson.rollout(desk.rollout(domain))));
    } else if (desk.knows(asked.getValue())) {
      domains.add(RolloutJson.rollout(desk.rollout(asked.getValue())));
    }
    Answer.send(response, callback, HttpStatus.OK_200, body);
  }
}
