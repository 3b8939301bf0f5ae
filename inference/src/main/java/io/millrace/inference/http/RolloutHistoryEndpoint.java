package io.millrace.inference.http;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.client.rollout.RolloutJson;
import io.millrace.inference.decide.RolloutDesk;
import io.millrace.inference.serving.Rollouts;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.OffsetDateTime;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.util.Fields;

/**
 * {@code GET /v1/rollouts/history?domain=}: the state of a rollout, now or {@code &at=} a time, and
 * the latest {@code &limit=} events that led to it.
 */
final class RolloutHistoryEndpoint implements Endpoint {
  private static final int DEFAULT_LIMIT = 100;
  private static final int MAX_LIMIT = 10_000;

  private final RolloutDesk desk;

  RolloutHistoryEndpoint(RolloutDesk desk) {
    this.desk = desk;
  }

  @Override
  public void answer(Request request, Response response, Callback callback) {
    Fields query = Request.extractQueryParameters(request);
    String domain = query.getValue("domain");
    Instant at;
    int limit;
    try {
      if (domain == null) {
        throw new IllegalArgumentException("\"domain\" is missing: ask with ?domain=NAME");
      }
      at = time(query.getValue("at"));
      limit = limit(query.getValue("limit"));
    } catch (IllegalArgumentException e) {
      Answer.error(response, callback, HttpStatus.BAD_REQUEST_400, e.getMessage());
      return;
    }
    if (!desk.knows(domain)) {
      Answer.error(response, callback, HttpStatus.NOT_FOUND_404, "unknown domain");
      return;
    }
    desk.history(domain, null, event -> at == null || !event.time().isAfter(at), limit)
        .thenApply(part -> json(part, domain, at))
        .whenComplete(
            (body, failure) -> {
              if (failure == null) {
                Answer.send(response, callback, HttpStatus.OK_200, body);
              } else {
                RolloutDecisionEndpoint.fail(failure, response, callback);
              }
            });
  }

  private static ObjectNode json(Rollouts.Part part, String domain, Instant at) {
    ObjectNode body = Answer.object();
    body.put("domain", domain);
    body.put("at", at == null ? null : RolloutJson.time(at));
    body.set("rollout", RolloutJson.rollout(part.state()));
    ArrayNode events = body.putArray("events");
    part.entries().forEach(entry -> events.add(RolloutJson.entryWithState(entry)));
    return body;
  }

  private static Instant time(String text) {
    if (text == null) {
      return null;
    }
    try {
      // An unescaped + is a space in a query.
      return OffsetDateTime.parse(text.replace(' ', '+')).toInstant();
    } catch (DateTimeException e) {
      throw new IllegalArgumentException(
          "\"at\" is no time such as 2026-11-22T09:00:00Z or 2026-11-22T10:00:00+01:00", e);
    }
  }

  private static int limit(String text) {
    if (text == null) {
      return DEFAULT_LIMIT;
    }
    try {
      int limit = Integer.parseInt(text);
      if (limit >= 1 && limit <= MAX_LIMIT) {
        return limit;
      }
    } catch (NumberFormatException e) {
      // Reported below.
    }
    throw new IllegalArgumentException("\"limit\" is no whole number from 1 to " + MAX_LIMIT);
  }
}
