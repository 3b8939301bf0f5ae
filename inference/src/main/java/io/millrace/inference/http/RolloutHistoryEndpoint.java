package io.millrace.inference.http;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.client.rollout.RolloutJson;
import io.millrace.inference.decide.RolloutDesk;
import io.millrace.inference.serving.Rollouts;
import io.millrace.inference.store.LogPlace;
import io.millrace.inference.store.LoggedEvent;
import java.time.Instant;
import java.util.Iterator;
import java.util.Set;
import java.util.function.Predicate;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;

/**
 * {@code GET /v1/rollouts/history?domain=}: the state of a rollout, now or {@code &at=} a time, and
 * the latest {@code &limit=} events that led to it. {@code &before=} and {@code &after=} a place in
 * the log lead to other events.
 */
final class RolloutHistoryEndpoint implements Endpoint {
  private static final int DEFAULT_LIMIT = 100;
  private static final int MAX_LIMIT = 10_000;
  private static final Set<String> PARAMETERS = Set.of("domain", "at", "limit", "before", "after");

  private final RolloutDesk desk;
  private final Listings listings;

  RolloutHistoryEndpoint(RolloutDesk desk, Listings listings) {
    this.desk = desk;
    this.listings = listings;
  }

  @Override
  public Set<String> parameters() {
    return PARAMETERS;
  }

  @Override
  public void answer(Request request, Response response, Callback callback) {
    String domain;
    Instant at;
    LogPlace before;
    LogPlace after;
    int limit;
    try {
      Query query = Query.of(request, PARAMETERS);
      domain = query.text("domain");
      if (domain == null) {
        throw new IllegalArgumentException("\"domain\" is missing: ask with ?domain=NAME");
      }
      at = query.time("at");
      before = query.place("before");
      after = query.place("after");
      if (before != null && after != null) {
        throw new IllegalArgumentException("\"before\" and \"after\" exclude each other");
      }
      limit = query.number("limit", 1, MAX_LIMIT, DEFAULT_LIMIT);
    } catch (IllegalArgumentException e) {
      Answer.error(response, callback, HttpStatus.BAD_REQUEST_400, e.getMessage());
      return;
    }
    if (!desk.knows(domain)) {
      Answer.error(response, callback, HttpStatus.NOT_FOUND_404, "unknown domain");
      return;
    }
    Predicate<LoggedEvent> isWithin =
        event ->
            (at == null || !event.time().isAfter(at))
                && (before == null || event.place().compareTo(before) < 0);
    desk.history(domain, after, isWithin, limit)
        .whenComplete(
            (part, failure) -> {
              if (failure == null) {
                listings.send(response, callback, content(part, domain, at));
              } else {
                RolloutDecisionEndpoint.fail(failure, response, callback);
              }
            });
  }

  private static Listings.Content content(Rollouts.Part part, String domain, Instant at) {
    ObjectNode head = Answer.object();
    head.put("domain", domain);
    head.put("at", at == null ? null : RolloutJson.time(at));
    head.set("rollout", RolloutJson.rollout(part.state()));
    ObjectNode tail = Answer.object();
    tail.put("earlier", part.hasEarlier() ? Query.place(part.first()) : null);
    tail.put("later", part.hasLater() ? Query.place(part.last()) : null);
    Iterator<ObjectNode> events =
        part.entries().stream().map(RolloutJson::entryWithState).iterator();
    return new Listings.Content(head, "events", events, () -> tail);
  }
}
