package io.millrace.client.rollout;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.VersionRef;
import io.millrace.schemas.rollout.Rollout;
import io.millrace.schemas.rollout.RolloutDecisions;
import io.millrace.schemas.rollout.RolloutHistory;
import java.time.Instant;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeFormatterBuilder;
import java.util.Locale;

/** Rollouts as JSON, the same over HTTP and on the command line. */
public final class RolloutJson {
  private static final DateTimeFormatter MILLIS =
      new DateTimeFormatterBuilder().appendInstant(3).toFormatter();

  private RolloutJson() {}

  /** An instant as ISO-8601 in UTC, always with milliseconds. */
  public static String time(Instant instant) {
    return MILLIS.format(instant);
  }

  /** A state, and the last decision that had an effect on it. */
  public static ObjectNode rollout(Rollout rollout) {
    ObjectNode json = state(rollout);
    json.set("decided", rollout.last() == null ? null : event(rollout.last()));
    return json;
  }

  private static ObjectNode state(Rollout rollout) {
    ObjectNode json = object();
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

  /** An event in the log, what came of it, and the state after it. */
  public static ObjectNode entryWithState(RolloutHistory.Entry entry) {
    ObjectNode json = entry(entry);
    json.set("after", state(entry.after()));
    return json;
  }

  /** An event in the log, what came of it, and the revision after it. */
  public static ObjectNode entryWithRevision(RolloutHistory.Entry entry) {
    return entry(entry).put("revision", entry.after().revision());
  }

  private static ObjectNode entry(RolloutHistory.Entry entry) {
    ObjectNode json = event(entry.event());
    json.put("time", time(entry.time()));
    json.put("offset", entry.offset());
    json.put("effect", entry.objection() == null && Rollout.isDecision(entry.event().getAction()));
    json.put("objection", entry.objection());
    return json;
  }

  private static ObjectNode event(RolloutEvent event) {
    ObjectNode json = object();
    json.put("eventId", event.getEventId());
    json.put("action", event.getAction().name().toLowerCase(Locale.ROOT));
    json.put("basedOn", event.getBasedOn());
    json.set("version", version(event.getVersion()));
    json.put("policy", event.getPolicy() == null ? null : RolloutDecisions.word(event.getPolicy()));
    json.put("share", event.getShare());
    json.put("author", event.getAuthor());
    json.put("reason", event.getReason());
    json.put("createdAt", time(event.getCreatedAt()));
    return json;
  }

  private static ObjectNode version(VersionRef version) {
    return version == null
        ? null
        : object().put("version", version.getVersion()).put("sha256", version.getSha256());
  }

  private static ObjectNode object() {
    return JsonNodeFactory.instance.objectNode();
  }
}
