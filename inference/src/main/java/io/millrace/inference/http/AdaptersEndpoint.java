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
import java.util.Optional;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.util.Fields;

/** {@code GET /v1/adapters}, of all domains or, with {@code ?domain=}, of one. */
public final class AdaptersEndpoint implements Endpoint {
  private final AdapterCatalog catalog;

  public AdaptersEndpoint(AdapterCatalog catalog) {
    this.catalog = catalog;
  }

  @Override
  public void answer(Request request, Response response, Callback callback) {
    Fields.Field asked = Request.extractQueryParameters(request).get("domain");
    ObjectNode body = Answer.object();
    ArrayNode domains = body.putArray("domains");
    if (asked == null) {
      catalog.domains().values().forEach(domain -> domains.add(json(domain)));
    } else {
      catalog.find(asked.getValue()).ifPresent(domain -> domains.add(json(domain)));
    }
    Answer.send(response, callback, HttpStatus.OK_200, body);
  }

  private static ObjectNode json(ServedDomain domain) {
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
    ArrayNode versions = body.putArray("versions");
    domain
        .versionsBefore(Long.MAX_VALUE, Integer.MAX_VALUE)
        .forEach(version -> versions.add(version(domain, version)));
    ArrayNode refusals = body.putArray("refusals");
    domain
        .refusalsBefore(Long.MAX_VALUE, Integer.MAX_VALUE)
        .forEach(refusal -> refusals.add(refusal(refusal)));
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
