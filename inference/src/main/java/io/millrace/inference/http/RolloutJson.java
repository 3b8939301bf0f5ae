package io.millrace.inference.http;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.VersionRef;
import io.millrace.schemas.rollout.Rollout;
import io.millrace.schemas.rollout.RolloutDecisions;
import io.millrace.schemas.rollout.RolloutHistory;
import java.util.Locale;

/** Rollouts as HTTP tells of them. */
final class RolloutJson {
  private RolloutJson() {}

  /** A state, and the last decision that had an effect on it. */
  static ObjectNode rollout(Rollout rollout) {
    ObjectNode json = state(rollout);
    json.set("decided", rollout.last() == null ? null : event(rollout.last()));
    return json;
  }

  private static ObjectNode state(Rollout rollout) {
    ObjectNode json = Answer.object();
    json.put("domain", rollout.domain());
    json.put("policy", RolloutDecisions.word(rollout.policy()));
    json.put("revision", rollout.revision());
    json.set("stable", version(rollout.stable().orElse(null)));
    json.set("previous", version(rollout.previous()));
    json.set("candidate", version(rollout.candidate()));
    json.put("share", rollout.candidate() == null ? null : rollout.share());
    json.put("held", rollout.held());
    json.set("newest", version(rollout.newest()));
    return json;
  }

  /** An event in the log, and what came of it. */
  static ObjectNode entry(RolloutHistory.Entry entry) {
    ObjectNode json = event(entry.event());
    json.put("time", Answer.time(entry.time()));
    json.put("offset", entry.offset());
    json.put("effect", entry.objection() == null && Rollout.isDecision(entry.event().getAction()));
    json.put("objection", entry.objection());
    json.set("after", state(entry.after()));
    return json;
  }

  private static ObjectNode event(RolloutEvent event) {
    ObjectNode json = Answer.object();
    json.put("eventId", event.getEventId());
    json.put("action", event.getAction().name().toLowerCase(Locale.ROOT));
    json.put("basedOn", event.getBasedOn());
    json.set("version", version(event.getVersion()));
    json.put("policy", event.getPolicy() == null ? null : RolloutDecisions.word(event.getPolicy()));
    json.put("share", event.getShare());
    json.put("author", event.getAuthor());
    json.put("reason", event.getReason());
    json.put("createdAt", Answer.time(event.getCreatedAt()));
    return json;
  }

  private static ObjectNode version(VersionRef version) {
    return version == null
        ? null
        : Answer.object().put("version", version.getVersion()).put("sha256", version.getSha256());
  }
}
