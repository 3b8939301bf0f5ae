package io.millrace.schemas.rollout;

import io.millrace.schemas.RolloutAction;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.RolloutPolicy;
import io.millrace.schemas.VersionRef;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * The state of one domain's rollout: the fold of the domain's events in the log.
 *
 * <p>The log holds two kinds of events, each with an order of its own. <b>Publications</b> ({@link
 * RolloutAction#PUBLISHED}) are read once their transaction has committed. <b>Decisions</b> are
 * written and read in no transaction, so that a transaction which a dead job left open cannot delay
 * a rollback. The two kinds change different parts of the state, so the state does not depend on
 * how a reader interleaves them: every reader arrives at the same state.
 *
 * <p>A decision is made on top of a revision. Where another decision came first, it has no effect:
 * {@link #objection} gives the reason. Publications make no revision, since they decide nothing:
 * under {@link RolloutPolicy#LATEST} the version last published serves because that policy was
 * decided on.
 *
 * @param domain that the rollout belongs to
 * @param revision decisions that had an effect, from 0
 * @param policy how a newly published version is treated
 * @param decidedStable the stable version that decisions name; null under {@link
 *     RolloutPolicy#LATEST}, and where there is none yet
 * @param previous the stable version before the last promotion, and null after any other change
 * @param candidate the version on trial; null where there is none
 * @param share of the requests that the candidate answers, above 0 and at most 1; without a
 *     candidate the share of the next one, 0 where none was ever named
 * @param held the reason why evidence no longer decides about the candidate; null while it may
 * @param triedThrough the highest version that was candidate or stable by decision, 0 before one
 * @param newest the version last published; null before the first
 * @param last the last decision that had an effect; null before the first
 */
public record Rollout(
    String domain,
    long revision,
    RolloutPolicy policy,
    VersionRef decidedStable,
    VersionRef previous,
    VersionRef candidate,
    double share,
    String held,
    long triedThrough,
    VersionRef newest,
    RolloutEvent last) {

  /** The state before any event: policy latest, and nothing published. */
  public static Rollout initial(String domain) {
    return new Rollout(domain, 0, RolloutPolicy.LATEST, null, null, null, 0, null, 0, null, null);
  }

  /** The version that answers all requests but the candidate's; empty where the log names none. */
  public Optional<VersionRef> stable() {
    return Optional.ofNullable(policy == RolloutPolicy.LATEST ? newest : decidedStable);
  }

  /**
   * This state where the log names a publication. Where it names none, as in topics older than
   * rollouts, the state with the newest version of the topic {@code adapters}: the one that serves
   * under {@link RolloutPolicy#LATEST}, although no event says so.
   *
   * @param published finds the newest version in {@code adapters}, or null where there is none;
   *     called only where the log names no publication
   */
  public Rollout orNewest(Supplier<VersionRef> published) {
    VersionRef found = newest == null ? published.get() : null;
    return found == null ? this : publishedAs(found);
  }

  /** Whether an action is a decision: made by people or evidence, on top of a revision. */
  public static boolean isDecision(RolloutAction action) {
    return switch (action) {
      case CANARY, POLICY, PROMOTE, ROLLBACK, PIN, HOLD -> true;
      case PUBLISHED, DRIFT, UNKNOWN -> false;
    };
  }

  /** The state after an event: this same object where the event has no effect. */
  public Rollout apply(RolloutEvent event) {
    if (event.getAction() == RolloutAction.PUBLISHED) {
      return event.getVersion() == null ? this : publishedAs(event.getVersion());
    }
    if (!isDecision(event.getAction()) || objection(event).isPresent()) {
      return this;
    }
    VersionRef version = event.getVersion();
    return switch (event.getAction()) {
      case CANARY ->
          decided(event, event.getStable(), null, version, event.getShare(), null, version);
      case POLICY -> afterPolicy(event);
      case PROMOTE -> decided(event, version, event.getStable(), null, share, null, version);
      case ROLLBACK, PIN -> decided(event, version, null, null, share, null, version);
      case HOLD ->
          decided(event, decidedStable, previous, candidate, share, event.getReason(), version);
      default -> this;
    };
  }

  private Rollout publishedAs(VersionRef version) {
    return new Rollout(
        domain,
        revision,
        policy,
        decidedStable,
        previous,
        candidate,
        share,
        held,
        triedThrough,
        version,
        last);
  }

  private Rollout afterPolicy(RolloutEvent event) {
    boolean tries = event.getPolicy() == RolloutPolicy.CANARY;
    return decided(
        event,
        event.getStable(),
        null,
        tries ? candidate : null,
        event.getShare() == null ? share : event.getShare(),
        tries ? held : null,
        event.getStable());
  }

  private Rollout decided(
      RolloutEvent event,
      VersionRef stable,
      VersionRef before,
      VersionRef tried,
      double part,
      String hold,
      VersionRef named) {
    return new Rollout(
        domain,
        revision + 1,
        event.getPolicy(),
        event.getPolicy() == RolloutPolicy.LATEST ? null : stable,
        before,
        tried,
        part,
        hold,
        Math.max(triedThrough, named == null ? 0 : named.getVersion()),
        newest,
        event);
  }

  /**
   * The reason why a decision would have no effect on this state, in one line; empty where it would
   * have one.
   */
  public Optional<String> objection(RolloutEvent event) {
    if (event.getBasedOn() == null || event.getBasedOn() != revision) {
      return Optional.of(
          "it was made on top of revision %s, and the current one is %d"
              .formatted(event.getBasedOn(), revision));
    }
    return Optional.ofNullable(flaw(event));
  }

  private String flaw(RolloutEvent event) {
    RolloutPolicy next = event.getPolicy();
    if (next == null || next == RolloutPolicy.UNKNOWN) {
      return "it names no policy";
    }
    if (event.getShare() != null && !(event.getShare() > 0 && event.getShare() <= 1)) {
      return "a share of " + event.getShare() + " is not above 0 and at most 1";
    }
    VersionRef version = event.getVersion();
    switch (event.getAction()) {
      case CANARY:
        return version == null || event.getShare() == null || next != RolloutPolicy.CANARY
            ? "a canary needs a version, a share and the policy canary"
            : null;
      case POLICY:
        return next == RolloutPolicy.PINNED ? "only pin makes the policy pinned" : null;
      case PROMOTE:
        if (policy == RolloutPolicy.PINNED) {
          return "the domain is pinned";
        }
        return version == null || next == RolloutPolicy.PINNED
            ? "a promotion needs a version and another policy than pinned"
            : null;
      case ROLLBACK:
        return next == RolloutPolicy.LATEST
            ? "under the policy latest the next version would undo it"
            : null;
      case PIN:
        return version == null || next != RolloutPolicy.PINNED
            ? "a pin needs a version and the policy pinned"
            : null;
      default:
        return version == null || !version.equals(candidate) || next != policy
            ? "only the candidate can be held"
            : null;
    }
  }
}
