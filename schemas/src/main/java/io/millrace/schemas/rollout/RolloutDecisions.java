package io.millrace.schemas.rollout;

import io.millrace.schemas.RolloutAction;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.RolloutPolicy;
import io.millrace.schemas.VersionRef;
import java.time.Instant;
import java.util.Locale;
import java.util.NavigableMap;
import java.util.UUID;

/**
 * Makes decisions for one domain, on top of the state that their author sees. A request is
 * completed from the state, or refused.
 *
 * <p>A decision names its versions by number and hash, so a version that is published meanwhile
 * does not change its meaning.
 */
public final class RolloutDecisions {
  private final Rollout now;
  private final VersionLookup versions;
  private final String author;
  private final String reason;

  /**
   * @param now the state that the author sees
   * @param versions of the domain that are published and not pruned, by number
   * @param author who or what decides
   * @param reason for people; may be empty
   */
  public RolloutDecisions(
      Rollout now, NavigableMap<Long, VersionRef> versions, String author, String reason) {
    this(now, VersionLookup.of(versions), author, reason);
  }

  /**
   * @param now the state that the author sees
   * @param versions of the domain that are published and not pruned
   * @param author who or what decides
   * @param reason for people; may be empty
   */
  public RolloutDecisions(Rollout now, VersionLookup versions, String author, String reason) {
    this.now = now;
    this.versions = versions;
    this.author = author;
    this.reason = reason;
  }

  /**
   * Makes a version the candidate for a share of the requests, under the policy canary.
   *
   * @param version null for the newest one
   * @param share above 0 and at most 1
   * @throws RolloutRefusedException where there is no such version, or it is the stable one
   */
  public RolloutEvent canary(Long version, double share) throws RolloutRefusedException {
    if (!(share > 0 && share <= 1)) {
      throw refused("a share is above 0 and at most 1 (0.1 is a tenth), not %s".formatted(share));
    }
    VersionRef candidate = version == null ? newest() : known(version);
    if (candidate.equals(stable())) {
      throw refused(
          "version %d is the stable one already; a canary needs another"
              .formatted(candidate.getVersion()));
    }
    return event(RolloutAction.CANARY, RolloutPolicy.CANARY)
        .setVersion(candidate)
        .setShare(share)
        .build();
  }

  /**
   * Changes how later versions are treated.
   *
   * @param policy latest, canary or manual
   * @param share of the requests for later candidates, above 0 and at most 1; null to keep it
   * @throws RolloutRefusedException where it is that policy already, or only pin leads there
   */
  public RolloutEvent policy(RolloutPolicy policy, Double share) throws RolloutRefusedException {
    if (policy == RolloutPolicy.PINNED) {
      throw refused("a policy pinned needs a version: use pin");
    }
    if (share != null && !(share > 0 && share <= 1)) {
      throw refused("a share is above 0 and at most 1 (0.1 is a tenth), not %s".formatted(share));
    }
    if (policy == now.policy() && (share == null || share == now.share())) {
      throw refused("the policy is %s already".formatted(word(policy)));
    }
    return event(RolloutAction.POLICY, policy).setShare(share).build();
  }

  /**
   * Makes a version the stable one. The policy latest becomes manual, since the next version would
   * replace this one at once.
   *
   * @param version null for the candidate, or where there is none the newest
   * @throws RolloutRefusedException where there is no such version, it is stable already, or the
   *     domain is pinned
   */
  public RolloutEvent promote(Long version) throws RolloutRefusedException {
    VersionRef stable = stable();
    if (now.policy() == RolloutPolicy.PINNED) {
      throw refused(
          "the domain is pinned to version %d; pin another one, or change the policy first"
              .formatted(stable.getVersion()));
    }
    VersionRef target =
        version != null
            ? known(version)
            : now.candidate() != null ? known(now.candidate().getVersion()) : newest();
    if (target.equals(stable)) {
      throw refused("version %d is the stable one already".formatted(target.getVersion()));
    }
    boolean wouldNotLast = now.policy() == RolloutPolicy.LATEST;
    return event(RolloutAction.PROMOTE, wouldNotLast ? RolloutPolicy.MANUAL : now.policy())
        .setVersion(target)
        .build();
  }

  /**
   * Ends the trial of the candidate; without a candidate, or where a version is named, makes an
   * older version the stable one. The policy latest becomes manual.
   *
   * @param version null to end the candidate's trial; without a candidate, null for the version
   *     that was stable before the last promotion, or else the newest older one
   * @throws RolloutRefusedException where there is no version to go back to
   */
  public RolloutEvent rollback(Long version) throws RolloutRefusedException {
    RolloutPolicy policy =
        now.policy() == RolloutPolicy.LATEST ? RolloutPolicy.MANUAL : now.policy();
    return event(RolloutAction.ROLLBACK, policy).setVersion(rollbackTarget(version)).build();
  }

  private VersionRef rollbackTarget(Long version) throws RolloutRefusedException {
    VersionRef stable = stable();
    if (version == null && now.candidate() != null) {
      return stable;
    }
    if (version != null) {
      VersionRef target = known(version);
      if (target.equals(stable) && now.candidate() == null) {
        throw refused("version %d is the stable one already".formatted(version));
      }
      return target;
    }
    VersionRef previous = now.previous();
    if (previous != null && previous.equals(versions.find(previous.getVersion()))) {
      return previous;
    }
    VersionRef older = stable == null ? null : versions.before(stable.getVersion());
    if (older == null) {
      throw refused("there is no older version to go back to");
    }
    return older;
  }

  /**
   * Keeps one version serving, independently of later publications.
   *
   * @param version null for the stable one
   * @throws RolloutRefusedException where there is no such version, or it is pinned already
   */
  public RolloutEvent pin(Long version) throws RolloutRefusedException {
    VersionRef stable = stable();
    VersionRef target =
        version != null ? known(version) : stable != null ? known(stable.getVersion()) : newest();
    if (now.policy() == RolloutPolicy.PINNED && target.equals(stable)) {
      throw refused("it is pinned to version %d already".formatted(target.getVersion()));
    }
    return event(RolloutAction.PIN, RolloutPolicy.PINNED).setVersion(target).build();
  }

  /**
   * Keeps the candidate as it is until people decide.
   *
   * @throws RolloutRefusedException where there is no candidate
   */
  public RolloutEvent hold() throws RolloutRefusedException {
    if (now.candidate() == null) {
      throw refused("there is no candidate to hold");
    }
    return event(RolloutAction.HOLD, now.policy()).setVersion(now.candidate()).build();
  }

  /** The version that serves now; null where none does. */
  private VersionRef stable() {
    return now.orNewest(versions::newest).stable().orElse(null);
  }

  private RolloutEvent.Builder event(RolloutAction action, RolloutPolicy policy) {
    return RolloutEvent.newBuilder()
        .setEventId(UUID.randomUUID().toString())
        .setDomain(now.domain())
        .setAction(action)
        .setBasedOn(now.revision())
        .setStable(stable())
        .setPolicy(policy)
        .setAuthor(author)
        .setReason(reason)
        .setCreatedAt(Instant.now());
  }

  private VersionRef newest() throws RolloutRefusedException {
    VersionRef newest = versions.newest();
    if (newest == null) {
      throw unknown("no version is published");
    }
    return newest;
  }

  private VersionRef known(long version) throws RolloutRefusedException {
    VersionRef known = versions.find(version);
    if (known != null) {
      return known;
    }
    VersionRef newest = newest();
    boolean pruned = version > 0 && version < newest.getVersion();
    throw unknown(
        "there is no version %d%s: there are %d, from %d to %d"
            .formatted(
                version,
                pruned ? " any more" : "",
                versions.count(),
                versions.oldest().getVersion(),
                newest.getVersion()));
  }

  private RolloutRefusedException unknown(String why) {
    return new RolloutRefusedException("domain %s: %s".formatted(now.domain(), why), true);
  }

  private RolloutRefusedException refused(String why) {
    return new RolloutRefusedException("domain %s: %s".formatted(now.domain(), why), false);
  }

  /** A policy in lower case, as the command line and messages write it. */
  public static String word(RolloutPolicy policy) {
    return policy.name().toLowerCase(Locale.ROOT);
  }
}
