package io.millrace.inference.dashboard;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.inference.log.GroupLag;
import io.millrace.schemas.TrainingProgress;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** All domains together: is adapting better than not, and does anything need somebody. */
final class Overview {
  /** Examples that a comparison "now" is over in each domain, at least. */
  static final int NOW = 500;

  /** Without a step for so long, with examples waiting, somebody should look. */
  private static final Duration NO_STEP = Duration.ofMinutes(2);

  /** Without a checkpoint for so long, while steps are taken. */
  private static final Duration NO_CHECKPOINT = Duration.ofMinutes(10);

  /** Names of domains that a line names. */
  private static final int NAMED = 3;

  private final Instant now;
  private final Replicas replicas;
  private final Optional<GroupLag.Lag> lag;
  private final boolean caughtUp;
  private int count;
  private int trained;
  private long examples;
  private Comparison total = Comparison.NONE;
  private Comparison latest = Comparison.NONE;
  private long latestTrained;
  private Instant steppedAt;
  private Instant checkpointedAt;
  private final Map<Need, Integer> counts = new EnumMap<>(Need.class);
  private final Map<Need, List<String>> named = new EnumMap<>(Need.class);

  /**
   * @param lag of the job; empty where it is unknown
   * @param caughtUp whether the topics were read to their ends
   */
  Overview(Replicas replicas, Optional<GroupLag.Lag> lag, boolean caughtUp, Instant now) {
    this.replicas = replicas;
    this.lag = lag;
    this.caughtUp = caughtUp;
    this.now = now;
  }

  Overview add(Collection<TrackedDomain> domains) {
    domains.forEach(this::add);
    return this;
  }

  private void add(TrackedDomain domain) {
    count++;
    total = total.plus(domain.comparison());
    latest = latest.plus(domain.history().latest(NOW));
    latestTrained += domain.history().latestTrained(NOW);
    if (domain.training().isPresent()) {
      TrainingProgress training = domain.training().get();
      trained++;
      examples += training.getTotalExamples();
      steppedAt = later(steppedAt, domain.steppedAt());
      checkpointedAt = later(checkpointedAt, training.getCheckpointedAt());
    }
    for (Need need : Need.of(domain, replicas, now)) {
      List<String> names = named.computeIfAbsent(need, each -> new ArrayList<>());
      if (names.size() < NAMED) {
        names.add(domain.name());
      }
      counts.merge(need, 1, Integer::sum);
    }
  }

  private static Instant later(Instant one, Instant other) {
    return one == null || other != null && other.isAfter(one) ? other : one;
  }

  ObjectNode json(long deadLetters) {
    ObjectNode json = Json.object();
    json.put("domains", count);
    json.put("trained", trained);
    json.put("examples", examples);
    json.set("comparison", Json.comparison(total));
    json.set("latest", Json.comparison(latest));
    json.put("latestTrained", latestTrained);
    json.put("steppedAt", Json.time(steppedAt));
    json.put("checkpointedAt", Json.time(checkpointedAt));
    json.put("lag", lag.map(GroupLag.Lag::records).orElse(null));
    json.put("deadLetters", deadLetters);
    ArrayNode states = json.putArray("replicas");
    for (Replicas.State state : replicas.states()) {
      states
          .addObject()
          .put("address", state.address().toString())
          .put("asked", state.asked())
          .put("problem", state.problem())
          .put("domains", state.known());
    }
    json.set("needs", needs(deadLetters));
    return json;
  }

  private ArrayNode needs(long deadLetters) {
    ArrayNode needs = JsonNodeFactory.instance.arrayNode();
    long waiting = lag.map(GroupLag.Lag::records).orElse(0L);
    boolean stands = steppedAt == null ? caughtUp : steppedAt.isBefore(now.minus(NO_STEP));
    if (waiting > 0 && stands) {
      String step =
          steppedAt == null
              ? "No training step was reported in the last day"
              : "No training step for " + ago(steppedAt);
      need(needs, "no-step", true, "%s, and %d examples wait.".formatted(step, waiting));
    }
    if (lag.isPresent() && lag.get().growing()) {
      need(
          needs,
          "lag",
          true,
          "The job falls behind: %d examples wait, and they become more.".formatted(waiting));
    }
    if (checkpointedAt != null && steppedAt.isAfter(checkpointedAt.plus(NO_CHECKPOINT))) {
      need(
          needs,
          "checkpoint",
          true,
          "No checkpoint has ended for %s.".formatted(ago(checkpointedAt)));
    }
    for (Replicas.State state : replicas.states()) {
      if (state.problem() != null) {
        need(needs, "replica", true, state.address() + ": " + state.problem() + ".");
      }
    }
    counts.forEach(
        (need, many) -> {
          ObjectNode json = need(needs, need.word(), need.isPressing(), sentence(need, many));
          named.get(need).forEach(json.withArray("domains")::add);
        });
    if (deadLetters > 0) {
      need(
          needs,
          "dead-letters",
          false,
          "%d record%s could not be trained on."
              .formatted(deadLetters, deadLetters == 1 ? "" : "s"));
    }
    return needs;
  }

  private static String sentence(Need need, int many) {
    return "%d domain%s: %s.".formatted(many, many == 1 ? "" : "s", need.words());
  }

  private static ObjectNode need(ArrayNode needs, String kind, boolean pressing, String text) {
    ObjectNode json = needs.addObject();
    json.put("kind", kind).put("pressing", pressing).put("text", text);
    json.putArray("domains");
    return json;
  }

  private String ago(Instant time) {
    long seconds = Duration.between(time, now).toSeconds();
    return seconds < 120
        ? seconds + " s"
        : seconds < 7200 ? seconds / 60 + " min" : seconds / 3600 + " h";
  }
}
