package io.millrace.inference.dashboard;

import io.millrace.schemas.DomainProgress;
import io.millrace.schemas.RolloutEvent;
import java.time.Instant;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Function;

/**
 * The domains that something is known of, a limited number: of more, those leave of which nothing
 * was heard for longest. Any thread may use it.
 */
public final class TrackedDomains {
  private final int most;

  /** By name; the one that was heard of longest ago first. */
  private final Map<String, TrackedDomain> domains = new LinkedHashMap<>(64, 0.75f, true);

  /** The same: looking at a domain is not hearing of it. */
  private final Map<String, TrackedDomain> byName = new HashMap<>();

  private long left;

  public TrackedDomains(int most) {
    this.most = most;
  }

  synchronized void take(DomainProgress progress) {
    heardOf(progress.getDomain()).take(progress);
  }

  synchronized void take(RolloutEvent event, Instant time) {
    heardOf(event.getDomain()).take(event, time);
  }

  private TrackedDomain heardOf(String name) {
    TrackedDomain domain = domains.computeIfAbsent(name, TrackedDomain::new);
    byName.put(name, domain);
    if (domains.size() > most) {
      var eldest = domains.keySet().iterator();
      byName.remove(eldest.next());
      eldest.remove();
      left++;
    }
    return domain;
  }

  /** Forgets how the domains did: another topic has taken the place of the one that said it. */
  synchronized void forgetProgress() {
    domains.values().forEach(TrackedDomain::forgetProgress);
  }

  /** Forgets what was decided: another topic has taken the place of the one that said it. */
  synchronized void forgetRollouts() {
    domains.values().forEach(TrackedDomain::forgetRollout);
  }

  /**
   * What a function makes of all domains, while none changes. It must be quick.
   *
   * @param function of the domains, in no particular order
   */
  synchronized <T> T read(Function<Collection<TrackedDomain>, T> function) {
    return function.apply(domains.values());
  }

  /** What a function makes of a domain, while it does not change; of null where it is unknown. */
  synchronized <T> T readOne(String name, Function<TrackedDomain, T> function) {
    return function.apply(byName.get(name));
  }

  /** How many had to leave. */
  synchronized long left() {
    return left;
  }
}
