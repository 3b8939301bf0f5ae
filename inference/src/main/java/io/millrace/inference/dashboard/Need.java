package io.millrace.inference.dashboard;

import java.time.Instant;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;

/** Why a domain may need somebody. The first are the more pressing. */
enum Need {
  REFUSED("a version was refused", true),
  DISAGREE("a replica serves another version than the log names", true),
  HELD("a candidate is held", true),
  DRIFT("the stream changed", false),
  CANARY("a candidate is on trial", false);

  private final String words;
  private final boolean pressing;

  Need(String words, boolean pressing) {
    this.words = words;
    this.pressing = pressing;
  }

  /** Of a domain, by what the log and the serving processes say. */
  static Set<Need> of(TrackedDomain domain, Replicas replicas, Instant now) {
    Set<Need> needs = EnumSet.noneOf(Need.class);
    if (replicas.refuses(domain.name())) {
      needs.add(REFUSED);
    } else if (replicas.disagrees(domain.name())) {
      needs.add(DISAGREE);
    }
    if (domain.rollout().candidate() != null) {
      needs.add(domain.rollout().held() == null ? CANARY : HELD);
    }
    if (domain.hasDrifted(now)) {
      needs.add(DRIFT);
    }
    return needs;
  }

  /** Its name in JSON. */
  String word() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** What is the case, of one domain. */
  String words() {
    return words;
  }

  /** Whether it goes on until somebody decides. */
  boolean isPressing() {
    return pressing;
  }
}
