package io.millrace.inference.http;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.client.rollout.RolloutJson;
import io.millrace.inference.serving.AdapterCatalog;
import io.millrace.inference.serving.Assignment;
import io.millrace.inference.serving.LiveAdapter;
import io.millrace.inference.serving.ServedDomain;
import io.millrace.inference.store.Refusal;
import io.millrace.inference.store.StoredVersion;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;

/**
 * {@code GET /v1/adapters}, of a {@link DomainPage}; of each domain the latest {@code &versions=},
 * and of a single one those {@code &before=} a number.
 */
public final class AdaptersEndpoint implements Endpoint {
  private static final int DEFAULT_VERSIONS = 100;
  private static final int MAX_VERSIONS = 1000;
  private static final Set<String> PARAMETERS =
      Stream.concat(DomainPage.PARAMETERS.stream(), Stream.of("versions", "before"))
          .collect(Collectors.toUnmodifiableSet());

  private final AdapterCatalog catalog;
  private final Listings listings;

  public AdaptersEndpoint(AdapterCatalog catalog, Listings listings) {
    this.catalog = catalog;
    this.listings = listings;
  }

  @Override
  public Set<String> parameters() {
    return PARAMETERS;
  }

  @Override
  public void answer(Request request, Response response, Callback callback) {
    DomainPage page;
    int versions;
    long before;
    try {
      Query query = Query.of(request, PARAMETERS);
      page = DomainPage.of(query);
      versions = query.number("versions", 0, MAX_VERSIONS, DEFAULT_VERSIONS);
      before = query.versionOrLast("before");
      if (query.text("before") != null && page.domain() == null) {
        throw new IllegalArgumentException("\"before\" is about one domain: name it");
      }
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
            names(catalog),
            name -> catalog.find(name).map(domain -> json(domain, before, versions))));
  }

  /** The names of a catalog's domains. */
  static DomainListing.Names names(AdapterCatalog catalog) {
    return new DomainListing.Names() {
      @Override
      public String ceiling(String name) {
        return catalog.domains().ceilingKey(name);
      }

      @Override
      public String higher(String name) {
        return catalog.domains().higherKey(name);
      }
    };
  }

  private static ObjectNode json(ServedDomain domain, long before, int limit) {
    ObjectNode body = Answer.object();
    body.put("domain", domain.name());
    Optional<Assignment> assigned = domain.assigned();
    if (domain.isLoaded()) {
      body.set("serving", assigned.map(now -> live(now.stable(), now.stableSince())).orElse(null));
      body.set(
          "candidate",
          assigned
              .filter(now -> now.candidate() != null)
              .map(now -> live(now.candidate(), now.candidateSince()).put("share", now.part()))
              .orElse(null));
    } else {
      Optional<ServedDomain.Expected> expected = domain.expected();
      body.set("serving", expected.map(next -> unloaded(next.stable())).orElse(null));
      body.set(
          "candidate",
          expected
              .filter(next -> next.candidate() != null)
              .map(next -> unloaded(next.candidate()).put("share", next.share()))
              .orElse(null));
    }
    // One more tells whether there are earlier ones.
    List<StoredVersion> found = domain.versionsBefore(before, limit + 1);
    List<StoredVersion> shown = found.subList(Math.max(0, found.size() - limit), found.size());
    ArrayNode versions = body.putArray("versions");
    shown.forEach(version -> versions.add(version(domain, version)));
    boolean hasEarlier = found.size() > shown.size();
    if (hasEarlier) {
      body.put("versionsBefore", found.get(0).version() + 1);
    } else {
      body.putNull("versionsBefore");
    }
    ArrayNode refusals = body.putArray("refusals");
    domain.refusalsBefore(before, limit).forEach(refusal -> refusals.add(refusal(refusal)));
    return body;
  }

  private static ObjectNode live(LiveAdapter adapter, Instant since) {
    return adapter == null
        ? null
        : served(adapter.version())
            .put("loaded", true)
            .put("liveAt", RolloutJson.time(since))
            .put("merged", adapter.classifier().isMerged());
  }

  private static ObjectNode unloaded(StoredVersion version) {
    return version == null
        ? null
        : served(version).put("loaded", false).putNull("liveAt").put("merged", false);
  }

  private static ObjectNode served(StoredVersion version) {
    ObjectNode body = Answer.object();
    body.put("version", version.version());
    body.put("sha256", version.sha256());
    version.labels().forEach(body.putArray("labels")::add);
    return body;
  }

  private static ObjectNode version(ServedDomain domain, StoredVersion version) {
    ObjectNode body = Answer.object();
    body.put("version", version.version());
    body.put("sha256", version.sha256());
    body.put("parentSha256", version.parentSha256());
    body.put("steps", version.steps());
    body.put("examples", version.examples());
    body.put("createdAt", RolloutJson.time(version.createdAt()));
    body.put("liveAt", domain.firstLiveAt(version).map(RolloutJson::time).orElse(null));
    return body;
  }

  static ObjectNode refusal(Refusal refusal) {
    ObjectNode body = Answer.object();
    body.put("version", refusal.version());
    body.put("sha256", refusal.sha256());
    body.put("reason", refusal.reason());
    body.put("refusedAt", RolloutJson.time(refusal.at()));
    return body;
  }
}
