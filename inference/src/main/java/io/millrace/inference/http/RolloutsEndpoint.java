package io.millrace.inference.http;

import io.millrace.client.rollout.RolloutJson;
import io.millrace.inference.decide.RolloutDesk;
import java.util.Optional;
import java.util.Set;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;

/** {@code GET /v1/rollouts}, of a {@link DomainPage}. */
final class RolloutsEndpoint implements Endpoint {
  private final RolloutDesk desk;
  private final Listings listings;

  RolloutsEndpoint(RolloutDesk desk, Listings listings) {
    this.desk = desk;
    this.listings = listings;
  }

  @Override
  public Set<String> parameters() {
    return DomainPage.PARAMETERS;
  }

  @Override
  public void answer(Request request, Response response, Callback callback) {
    DomainPage page;
    try {
      page = DomainPage.of(Query.of(request, DomainPage.PARAMETERS));
    } catch (IllegalArgumentException e) {
      Answer.error(response, callback, HttpStatus.BAD_REQUEST_400, e.getMessage());
      return;
    }
    listings.send(
        response,
        callback,
        DomainListing.of(
            page,
            "domains",
            new DomainListing.Names() {
              @Override
              public String ceiling(String name) {
                return desk.ceiling(name);
              }

              @Override
              public String higher(String name) {
                return desk.higher(name);
              }
            },
            name ->
                desk.knows(name)
                    ? Optional.of(RolloutJson.rollout(desk.rollout(name)))
                    : Optional.empty()));
  }
}
