package io.millrace.inference.serving;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.inference.store.StoredVersion;
import io.millrace.schemas.RolloutAction;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.RolloutPolicy;
import io.millrace.schemas.VersionRef;
import io.millrace.schemas.rollout.Rollout;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class ServingRuleTest implements ServingRule.Versions {
  private final NavigableMap<Long, StoredVersion> versions = new TreeMap<>();
  private final Set<Long> refused = new TreeSet<>();
  private Rollout rollout = Rollout.initial("films");
  private StoredVersion serving;
  private int looked;

  ServingRuleTest() {
    for (long version = 1; version <= 5; version++) {
      versions.put(version, stored(version));
    }
  }

  @Test
  void withoutAnyEventTheNewestThatCanServeDoes() {
    refused.add(5L);

    assertThat(choose().plan().stable()).isEqualTo(versions.get(4L));
    assertThat(choose().shortfalls()).isEmpty();
  }

  @Test
  void underLatestTheVersionLastPublishedServesAndNotOneThatNobodyPublished() {
    apply(RolloutAction.PUBLISHED, 3L, null, null);

    assertThat(choose().plan().stable()).isEqualTo(versions.get(3L));
  }

  @Test
  void stableCandidateAndPreviousAreAllLoadedAndTwoOfThemAnswer() {
    apply(RolloutAction.PROMOTE, 2L, 1L, RolloutPolicy.CANARY);
    Rollout promoted = rollout;
    apply(RolloutAction.CANARY, 3L, 2L, RolloutPolicy.CANARY);

    Plan plan = choose().plan();
    assertThat(plan.serving()).containsExactly(versions.get(2L), versions.get(3L));
    assertThat(plan.share()).isEqualTo(0.25);
    rollout = promoted;
    assertThat(choose().plan().loaded()).containsExactly(versions.get(2L), versions.get(1L));
    assertThat(choose().plan().serving()).containsExactly(versions.get(2L));
  }

  @Test
  void whereTheStableVersionCannotServeTheOneThatServesGoesOn() {
    apply(RolloutAction.PROMOTE, 3L, 1L, RolloutPolicy.MANUAL);
    refused.add(3L);
    serving = versions.get(5L);

    assertThat(choose().plan().stable()).isEqualTo(versions.get(5L));
    assertThat(choose().shortfalls())
        .containsExactly(new Shortfall("films", ref(3), false, "refused", versions.get(5L)));
    assertThat(choose().shortfalls().get(0))
        .hasToString(
            "domain films: the rollout names version 3 (%s) as stable, but refused; version 5 serves"
                .formatted(ref(3).getSha256()));
  }

  @Test
  void afterARestartItIsTheOneBeforeOrElseTheNewestOlderOne() {
    apply(RolloutAction.PROMOTE, 4L, 1L, RolloutPolicy.MANUAL);
    versions.remove(4L);

    assertThat(choose().plan().stable()).isEqualTo(versions.get(1L));
    refused.add(1L);
    assertThat(choose().plan().stable()).isEqualTo(versions.get(3L));
    refused.addAll(List.of(2L, 3L));
    assertThat(choose().plan().stable()).isNull();
    assertThat(choose().shortfalls()).singleElement().asString().endsWith("nothing serves instead");
  }

  @Test
  void aCandidateThatCannotServeHasNoShare() {
    apply(RolloutAction.CANARY, 3L, 2L, RolloutPolicy.CANARY);
    versions.put(
        3L, new StoredVersion("films", 3, "f".repeat(64), null, List.of(), 0, 0, null, null));

    assertThat(choose().plan().serving()).containsExactly(versions.get(2L));
    assertThat(choose().plan().share()).isZero();
    assertThat(choose().shortfalls())
        .containsExactly(new Shortfall("films", ref(3), true, "another", versions.get(2L)));
  }

  @Test
  void whereManyCannotServeItLooksAtAFewOfThemOnly() {
    for (long version = 6; version <= 1000; version++) {
      versions.put(version, stored(version));
      refused.add(version);
    }

    assertThat(choose().plan().stable()).isNull();
    assertThat(looked).isEqualTo(ServingRule.MOST_TRIED);
  }

  private ServingRule.Choice choose() {
    return new ServingRule(rollout, this, serving).choose();
  }

  @Override
  public StoredVersion find(long number) {
    return versions.get(number);
  }

  @Override
  public StoredVersion before(long number) {
    looked++;
    Map.Entry<Long, StoredVersion> found = versions.lowerEntry(number);
    return found == null ? null : found.getValue();
  }

  @Override
  public String fault(VersionRef ref) {
    StoredVersion here = versions.get(ref.getVersion());
    if (here == null) {
      return "missing";
    }
    if (!here.sha256().equals(ref.getSha256())) {
      return "another";
    }
    return refused.contains(ref.getVersion()) ? "refused" : null;
  }

  private void apply(RolloutAction action, Long version, Long stable, RolloutPolicy policy) {
    RolloutEvent event =
        RolloutEvent.newBuilder()
            .setEventId("event " + rollout.revision())
            .setDomain("films")
            .setAction(action)
            .setBasedOn(rollout.revision())
            .setVersion(ref(version))
            .setStable(stable == null ? null : ref(stable))
            .setPolicy(policy)
            .setShare(action == RolloutAction.CANARY ? 0.25 : null)
            .setAuthor("tester")
            .setCreatedAt(Instant.EPOCH)
            .build();
    Rollout before = rollout;
    rollout = rollout.apply(event);
    assertThat(rollout).isNotEqualTo(before);
  }

  private static VersionRef ref(long version) {
    return new VersionRef(version, "%064x".formatted(version));
  }

  private static StoredVersion stored(long version) {
    return new StoredVersion(
        "films", version, ref(version).getSha256(), null, List.of(), 0, 0, Instant.EPOCH, null);
  }
}
