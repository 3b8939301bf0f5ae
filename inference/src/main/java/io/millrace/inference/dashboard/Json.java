package io.millrace.inference.dashboard;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.client.rollout.RolloutJson;
import java.time.Instant;

/** Parts that several answers have. */
final class Json {
  private Json() {}

  static ObjectNode object() {
    return JsonNodeFactory.instance.objectNode();
  }

  /** Null for null. */
  static String time(Instant time) {
    return time == null ? null : RolloutJson.time(time);
  }

  /** Null where nothing was compared. */
  static ObjectNode comparison(Comparison comparison) {
    return comparison.examples() == 0
        ? null
        : object()
            .put("examples", comparison.examples())
            .put("adapted", comparison.adapted())
            .put("frozen", comparison.frozen())
            .put("wins", comparison.wins())
            .put("losses", comparison.losses())
            .put("difference", number(comparison.difference()))
            .put("margin", number(comparison.margin()));
  }

  /** Null for what is no number. */
  static Double number(double value) {
    return Double.isFinite(value) ? value : null;
  }
}
