package io.millrace.pipeline.cli;

import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.VersionRef;
import io.millrace.schemas.rollout.Rollout;
import io.millrace.schemas.rollout.RolloutDecisions;
import io.millrace.schemas.rollout.RolloutHistory;
import java.math.BigDecimal;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** Texts about rollouts for tables and messages. */
final class RolloutWords {
  private RolloutWords() {}

  /** Its number; {@code -} where there is none. */
  static String number(VersionRef version) {
    return version == null ? "-" : Long.toString(version.getVersion());
  }

  /** A part of the requests: {@code 10 %}. */
  static String share(double share) {
    BigDecimal percent = new BigDecimal(Double.toString(share)).movePointRight(2);
    BigDecimal bare = percent.stripTrailingZeros();
    return (bare.scale() > 6 ? bare.toString() : bare.toPlainString()) + " %";
  }

  /** What serves, and what changed it from {@code before}: {@code stable 16 (was 17), ...}. */
  static String change(Rollout before, Rollout after) {
    List<String> parts = new ArrayList<>();
    VersionRef old = before.stable().orElse(null);
    VersionRef stable = after.stable().orElse(null);
    boolean moved = old != null && !old.equals(stable);
    parts.add("stable " + number(stable) + (moved ? " (was " + number(old) + ")" : ""));
    if (after.candidate() != null) {
      parts.add("candidate " + number(after.candidate()) + " at " + share(after.share()));
    } else if (before.candidate() != null) {
      parts.add("no candidate (was " + number(before.candidate()) + ")");
    }
    parts.add("policy " + RolloutDecisions.word(after.policy()));
    parts.add("revision " + after.revision());
    return String.join(", ", parts);
  }

  /** What an event says: {@code canary 18 at 10 %}. */
  static String what(RolloutEvent event) {
    String word = event.getAction().name().toLowerCase(Locale.ROOT);
    return switch (event.getAction()) {
      case CANARY ->
          word
              + " "
              + number(event.getVersion())
              + (event.getShare() == null ? "" : " at " + share(event.getShare()));
      case POLICY ->
          word
              + " "
              + (event.getPolicy() == null ? "-" : RolloutDecisions.word(event.getPolicy()))
              + (event.getShare() == null ? "" : " at " + share(event.getShare()));
      case ROLLBACK -> word + " to " + number(event.getVersion());
      case UNKNOWN -> "unknown to this release";
      default -> event.getVersion() == null ? word : word + " " + number(event.getVersion());
    };
  }

  /** Of the events up to a time, the last one that changed what serves; a decision always does. */
  static Optional<RolloutHistory.Entry> lastChange(RolloutHistory history, Instant time) {
    RolloutHistory.Entry last = null;
    Rollout before = Rollout.initial(history.now().domain());
    for (RolloutHistory.Entry entry : history.entries()) {
      if (entry.time().isAfter(time)) {
        break;
      }
      Rollout after = entry.after();
      if (after.revision() != before.revision() || !after.stable().equals(before.stable())) {
        last = entry;
      }
      before = after;
    }
    return Optional.ofNullable(last);
  }
}
