package io.millrace.inference.http;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.inference.log.ConsumerProgress;
import io.millrace.inference.log.LogFollower;
import io.millrace.inference.predict.Predictor;
import io.millrace.inference.serving.AdapterCatalog;
import io.millrace.inference.serving.Shortfall;
import java.util.List;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;

/**
 * {@code GET /health/ready}: ready once the base model and the local store are loaded and {@code
 * adapters} and {@code rollouts} are read to the ends they had at the start. Once ready, the
 * process stays ready: loaded versions serve on while Kafka or the registry is down.
 */
public final class ReadyEndpoint implements Endpoint {
  /** A limit: health is asked for often, and with a wrong base model every version is refused. */
  private static final int LATEST_REFUSALS = 10;

  private final AdapterCatalog catalog;
  private final LogFollower consumer;
  private final Predictor predictor;

  public ReadyEndpoint(AdapterCatalog catalog, LogFollower consumer, Predictor predictor) {
    this.catalog = catalog;
    this.consumer = consumer;
    this.predictor = predictor;
  }

  @Override
  public void answer(Request request, Response response, Callback callback) {
    boolean loaded = catalog.isLoaded();
    ConsumerProgress progress = consumer.progress();
    boolean ready = loaded && progress.caughtUp();
    ObjectNode body = Answer.object();
    body.put("ready", ready);
    ArrayNode reasons = body.putArray("reasons");
    if (!loaded) {
      reasons.add("the base model and the local store are still loading");
    } else if (!progress.caughtUp()) {
      reasons.add(
          String.join(" and ", progress.unread())
              + " not yet read to the end that was there at the start");
    }
    if (progress.problem() != null) {
      reasons.add(progress.problem());
    }
    body.put("domains", catalog.domains().size());
    body.put("predictions", predictor.served());
    ArrayNode partitions = body.putArray("partitions");
    for (ConsumerProgress.Partition partition : progress.partitions()) {
      partitions
          .addObject()
          .put("topic", partition.topic())
          .put("partition", partition.partition())
          .put("position", partition.position())
          .put("lag", partition.lag());
    }
    body.put("unreadable", progress.unreadable());
    body.put("lastUnreadable", progress.lastUnreadable());
    putRefusals(body);
    putShortfalls(body);
    int status = ready ? HttpStatus.OK_200 : HttpStatus.SERVICE_UNAVAILABLE_503;
    Answer.send(response, callback, status, body);
  }

  private void putShortfalls(ObjectNode body) {
    List<Shortfall> all = catalog.shortfalls();
    body.put("notServed", all.size());
    ArrayNode some = body.putArray("someNotServed");
    for (Shortfall shortfall : all.subList(0, Math.min(LATEST_REFUSALS, all.size()))) {
      ObjectNode each = some.addObject();
      each.put("domain", shortfall.domain());
      each.put("version", shortfall.wanted().getVersion());
      each.put("sha256", shortfall.wanted().getSha256());
      each.put("as", shortfall.candidate() ? "candidate" : "stable");
      each.put("reason", shortfall.reason());
      if (shortfall.instead() == null) {
        each.putNull("serves");
      } else {
        each.put("serves", shortfall.instead().version());
      }
    }
  }

  private void putRefusals(ObjectNode body) {
    body.put("refused", catalog.refusedCount());
    ArrayNode latest = body.putArray("latestRefusals");
    catalog
        .latestRefusals(LATEST_REFUSALS)
        .forEach(
            refusal ->
                latest.add(
                    Answer.object()
                        .put("domain", refusal.domain())
                        .setAll(AdaptersEndpoint.refusal(refusal))));
  }
}
