package io.millrace.operators.evidence;

import io.millrace.operators.evidence.PairedTest.Verdict;
import io.millrace.schemas.Comparison;
import io.millrace.schemas.ComparisonKind;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.RolloutPolicy;
import io.millrace.schemas.VersionRef;
import io.millrace.schemas.rollout.Rollout;
import io.millrace.schemas.rollout.RolloutDecisions;
import io.millrace.schemas.rollout.RolloutRefusedException;
import java.io.Serializable;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * The rules of evidence: which versions of a rollout to compare, and which decision follows from
 * the counts. Evidence acts under the policies canary and manual only.
 *
 * @param test what decides between two versions
 * @param watch examples for which a version that was promoted is compared with the one it replaced;
 *     0 for none
 * @param share of the requests that a candidate answers, where the rollout names none
 */
public record EvidenceRules(PairedTest test, long watch, double share) implements Serializable {
  /** Author of what evidence decides. */
  static final String AUTHOR = "evidence";

  /** Author of what the job's settings decide. */
  private static final String JOB = "job";

  /** Whether evidence may decide under this policy. */
  static boolean acts(RolloutPolicy policy) {
    return policy == RolloutPolicy.CANARY || policy == RolloutPolicy.MANUAL;
  }

  /**
   * The decision that gives a rollout its first policy, once it has a version; empty where
   * something was decided before.
   */
  static Optional<RolloutEvent> first(Rollout now, RolloutPolicy policy) {
    if (now.revision() > 0 || now.newest() == null || policy == now.policy()) {
      return Optional.empty();
    }
    try {
      String why = "rollout.policy is " + RolloutDecisions.word(policy);
      return Optional.of(by(now, JOB, why).policy(policy, null));
    } catch (RolloutRefusedException e) {
      return Optional.empty();
    }
  }

  /**
   * The comparison that is due.
   *
   * @param running the comparison so far; null for none
   * @return {@code running} where it continues; empty where there is nothing to compare
   */
  Optional<Comparison> comparison(Rollout now, Comparison running) {
    Optional<Comparison> due = due(now);
    boolean goesOn =
        due.isPresent()
            && running != null
            && running.getKind() == due.get().getKind()
            && running.getTried().equals(due.get().getTried())
            && running.getAgainst().equals(due.get().getAgainst());
    return goesOn ? Optional.of(running) : due;
  }

  private Optional<Comparison> due(Rollout now) {
    VersionRef stable = now.stable().orElse(null);
    if (!acts(now.policy()) || stable == null) {
      return Optional.empty();
    }
    if (now.candidate() != null) {
      boolean held = now.held() != null;
      return held
          ? Optional.empty()
          : Optional.of(start(ComparisonKind.CANARY, now.candidate(), stable));
    }
    return now.previous() == null || watch == 0
        ? Optional.empty()
        : Optional.of(start(ComparisonKind.WATCH, stable, now.previous()));
  }

  private static Comparison start(ComparisonKind kind, VersionRef tried, VersionRef against) {
    return new Comparison(kind, tried, against, 0L, 0L, 0L, null);
  }

  /** Whether more examples may still change the result. */
  boolean open(Comparison comparison) {
    return comparison != null
        && comparison.getFlaw() == null
        && verdict(comparison) == Verdict.OPEN;
  }

  /** Examples after which a comparison ends without a result. */
  long limit(Comparison comparison) {
    return comparison.getKind() == ComparisonKind.CANARY ? test.limit() : watch;
  }

  private Verdict verdict(Comparison c) {
    Verdict verdict = test.verdict(c.getWins(), c.getLosses(), c.getExamples());
    if (c.getKind() == ComparisonKind.CANARY || verdict == Verdict.WORSE) {
      return verdict;
    }
    // A watch asks only whether the version is worse, for its whole length.
    return c.getExamples() >= watch ? Verdict.INCONCLUSIVE : Verdict.OPEN;
  }

  /**
   * The decision that evidence makes in this state; empty for none.
   *
   * @param comparison as {@link #comparison} gave it, with its counts; null for none
   */
  Optional<RolloutEvent> decision(Rollout now, Comparison comparison) {
    if (!acts(now.policy()) || open(comparison)) {
      return Optional.empty();
    }
    try {
      if (comparison != null && comparison.getKind() == ComparisonKind.CANARY) {
        return Optional.of(onCandidate(now, comparison));
      }
      if (comparison != null && comparison.getFlaw() == null && isWorse(comparison)) {
        return Optional.of(
            by(now, reason("version", comparison, ", which it replaced", test.rollbackError()))
                .rollback(comparison.getAgainst().getVersion()));
      }
      return now.policy() == RolloutPolicy.CANARY ? nextCandidate(now) : Optional.empty();
    } catch (RolloutRefusedException e) {
      // The state does not allow the decision. The next event of the log may change that.
      return Optional.empty();
    }
  }

  private boolean isWorse(Comparison comparison) {
    return verdict(comparison) == Verdict.WORSE;
  }

  private RolloutEvent onCandidate(Rollout now, Comparison c) throws RolloutRefusedException {
    if (c.getFlaw() != null) {
      String why =
          "candidate %d cannot be compared with stable %d: %s"
              .formatted(c.getTried().getVersion(), c.getAgainst().getVersion(), c.getFlaw());
      return by(now, why).hold();
    }
    return switch (verdict(c)) {
      case BETTER ->
          by(now, reason("candidate", c, "", test.promoteError()) + margin())
              .promote(c.getTried().getVersion());
      case WORSE -> by(now, reason("candidate", c, "", test.rollbackError())).rollback(null);
      default ->
          by(now, "no answer within %d examples: ".formatted(c.getExamples()) + counts(c, ""))
              .hold();
    };
  }

  private Optional<RolloutEvent> nextCandidate(Rollout now) throws RolloutRefusedException {
    VersionRef next = now.candidate() != null ? now.candidate() : now.newest();
    if (next == null) {
      return Optional.empty();
    }
    if (now.stable().isEmpty()) {
      return Optional.of(
          by(now, "there was no stable version to compare it with").promote(next.getVersion()));
    }
    boolean fresh = next.getVersion() > now.triedThrough() && !next.equals(now.stable().get());
    if (now.candidate() != null || !fresh) {
      return Optional.empty();
    }
    double part = now.share() > 0 ? now.share() : share;
    return Optional.of(
        by(now, "version %d is the newest".formatted(next.getVersion()))
            .canary(next.getVersion(), part));
  }

  private String margin() {
    return test.margin() > 0 ? ", margin " + test.margin() : "";
  }

  private static String reason(String name, Comparison c, String besides, double error) {
    return name + " " + counted(c, besides) + "; error rate " + error;
  }

  private static String counts(Comparison c, String besides) {
    return "candidate " + counted(c, besides);
  }

  private static String counted(Comparison c, String besides) {
    String other = c.getKind() == ComparisonKind.CANARY ? "stable" : "version";
    return "%d was right on %d and wrong on %d of the %d examples (of %d) where it differs from %s %d%s"
        .formatted(
            c.getTried().getVersion(),
            c.getWins(),
            c.getLosses(),
            c.getWins() + c.getLosses(),
            c.getExamples(),
            other,
            c.getAgainst().getVersion(),
            besides);
  }

  /** Decisions among the versions that the state names; evidence decides on no others. */
  private static RolloutDecisions by(Rollout now, String reason) {
    return by(now, AUTHOR, reason);
  }

  private static RolloutDecisions by(Rollout now, String author, String reason) {
    NavigableMap<Long, VersionRef> versions = new TreeMap<>();
    Stream.of(now.decidedStable(), now.previous(), now.candidate(), now.newest())
        .filter(ref -> ref != null)
        .forEach(ref -> versions.put(ref.getVersion(), ref));
    return new RolloutDecisions(now, versions, author, reason);
  }
}
