package io.millrace.schemas.rollout;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.schemas.RolloutAction;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.RolloutPolicy;
import io.millrace.schemas.VersionRef;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class RolloutTest {
  private static final String DOMAIN = "reviews";

  private final NavigableMap<Long, VersionRef> versions = new TreeMap<>();
  private Rollout now = Rollout.initial(DOMAIN);

  @Test
  void underLatestEachVersionServesAsItIsPublished() {
    assertThat(now.stable()).isEmpty();

    publish(1);
    publish(2);

    assertThat(now.stable()).contains(ref(2));
    assertThat(now.revision()).isZero();
  }

  @Test
  void aRollbackUnderLatestOutlivesTheNextVersion() throws Exception {
    publish(1);
    publish(2);

    decide(by("ann").rollback(null));
    publish(3);

    assertThat(now.policy()).isEqualTo(RolloutPolicy.MANUAL);
    assertThat(now.stable()).contains(ref(1));
    assertThat(now.revision()).isEqualTo(1);
  }

  @Test
  void ofTwoDecisionsOnOneRevisionTheLogsFirstCounts() throws Exception {
    publish(1);
    publish(2);
    publish(3);
    RolloutEvent rollback = by("ann").rollback(1L);
    RolloutEvent pin = by("bob").pin(2L);

    decide(rollback);
    Optional<String> objection = now.objection(pin);
    decide(pin);

    assertThat(objection).contains("it was made on top of revision 0, and the current one is 1");
    assertThat(now.stable()).contains(ref(1));
    assertThat(now.policy()).isEqualTo(RolloutPolicy.MANUAL);
  }

  @Test
  void aCandidateIsPromotedOrTakenBack() throws Exception {
    publish(1);
    decide(by("ann").policy(RolloutPolicy.CANARY, 0.2));
    publish(2);
    decide(by("evidence").canary(null, 0.2));

    assertThat(now.stable()).contains(ref(1));
    assertThat(now.candidate()).isEqualTo(ref(2));
    assertThat(now.share()).isEqualTo(0.2);

    decide(by("evidence").promote(null));
    assertThat(now.stable()).contains(ref(2));
    assertThat(now.previous()).isEqualTo(ref(1));
    assertThat(now.candidate()).isNull();
    assertThat(now.policy()).isEqualTo(RolloutPolicy.CANARY);

    publish(3);
    decide(by("evidence").canary(null, 0.2));
    decide(by("evidence").rollback(null));
    assertThat(now.stable()).contains(ref(2));
    assertThat(now.candidate()).isNull();
    assertThat(now.triedThrough()).isEqualTo(3);
  }

  @Test
  void aHeldCandidateKeepsItsShareUntilTheNextDecision() throws Exception {
    publish(1);
    publish(2);
    decide(by("ann").canary(1L, 0.5));
    decide(new RolloutDecisions(now, versions, "evidence", "9 to 8 of 500").hold());

    assertThat(now.held()).isEqualTo("9 to 8 of 500");
    assertThat(now.candidate()).isEqualTo(ref(1));

    decide(by("ann").promote(null));
    assertThat(now.held()).isNull();
    assertThat(now.stable()).contains(ref(1));
  }

  @Test
  void whatCannotBeIsRefusedInOneLine() throws Exception {
    assertThatThrownBy(() -> by("ann").promote(null))
        .hasMessage("domain reviews: no version is published");
    publish(1);
    publish(2);
    publish(3);
    versions.remove(2L);

    assertThatThrownBy(() -> by("ann").promote(9L))
        .hasMessage("domain reviews: there is no version 9: there are 2, from 1 to 3");
    assertThatThrownBy(() -> by("ann").pin(2L))
        .hasMessage("domain reviews: there is no version 2 any more: there are 2, from 1 to 3");
    for (double share : new double[] {0, -1, 2, Double.NaN, Double.POSITIVE_INFINITY}) {
      assertThatThrownBy(() -> by("ann").canary(1L, share))
          .hasMessage(
              "domain reviews: a share is above 0 and at most 1 (0.1 is a tenth), not " + share);
    }
    assertThatThrownBy(() -> by("ann").canary(3L, 0.1))
        .hasMessageContaining("version 3 is the stable one already");
    decide(by("ann").pin(1L));
    assertThatThrownBy(() -> by("ann").promote(3L)).hasMessageContaining("pinned to version 1");
    assertThatThrownBy(() -> by("ann").rollback(null)).hasMessageContaining("no older version");
  }

  @Test
  void aCandidateThatWasPrunedIsNotPromoted() throws Exception {
    publish(1);
    publish(2);
    publish(3);
    decide(by("ann").canary(1L, 0.5));
    versions.remove(1L);

    assertThatThrownBy(() -> by("ann").promote(null)).hasMessageContaining("no version 1 any more");
    decide(by("ann").rollback(null));
    versions.remove(3L);
    versions.put(4L, ref(4));
    assertThatThrownBy(() -> by("ann").pin(null)).hasMessageContaining("no version 3 any more");
  }

  /** Another client may write events that ours would refuse. */
  @Test
  void anEventThatCannotBeHasNoEffect() throws Exception {
    publish(1);
    publish(2);
    RolloutEvent canary = by("ann").canary(1L, 0.1);
    List<RolloutEvent> impossible = new ArrayList<>();
    for (double share : new double[] {0, -0.1, 2, Double.NaN}) {
      impossible.add(RolloutEvent.newBuilder(canary).setShare(share).build());
    }
    impossible.add(RolloutEvent.newBuilder(canary).setVersion(null).build());
    impossible.add(RolloutEvent.newBuilder(canary).setPolicy(null).build());
    impossible.add(RolloutEvent.newBuilder(canary).setPolicy(RolloutPolicy.LATEST).build());
    impossible.add(RolloutEvent.newBuilder(canary).setAction(RolloutAction.HOLD).build());
    impossible.add(RolloutEvent.newBuilder(canary).setAction(RolloutAction.UNKNOWN).build());
    impossible.add(RolloutEvent.newBuilder(canary).setBasedOn(null).build());
    impossible.add(RolloutEvent.newBuilder(canary).setBasedOn(1L).build());

    for (RolloutEvent event : impossible) {
      assertThat(now.apply(event)).as("%s", event).isSameAs(now);
    }
    assertThat(now.apply(canary)).isNotEqualTo(now);
  }

  @Test
  void theStateDoesNotDependOnHowPublicationsAndDecisionsWereReadInBetween() {
    Random random = new Random(5);
    for (int run = 0; run < 500; run++) {
      List<RolloutEvent> log = randomLog(random);
      Rollout inOrder = fold(log);

      List<RolloutEvent> publications = new ArrayList<>();
      List<RolloutEvent> decisions = new ArrayList<>();
      for (RolloutEvent event : log) {
        (event.getAction() == RolloutAction.PUBLISHED ? publications : decisions).add(event);
      }
      List<RolloutEvent> mixed = new ArrayList<>();
      int p = 0;
      int d = 0;
      while (p < publications.size() || d < decisions.size()) {
        boolean takePublication =
            d == decisions.size() || (p < publications.size() && random.nextBoolean());
        mixed.add(takePublication ? publications.get(p++) : decisions.get(d++));
      }

      assertThat(fold(mixed)).isEqualTo(inOrder);
    }
  }

  @Test
  void historyTellsWhatServedAtAnyTime() {
    List<RolloutEvent> log = randomLog(new Random(7));
    RolloutHistory history = new RolloutHistory(DOMAIN);
    Instant start = Instant.parse("2026-01-01T00:00:00Z");
    List<Rollout> states = new ArrayList<>();
    Rollout state = Rollout.initial(DOMAIN);
    for (int i = 0; i < log.size(); i++) {
      history.add(i, start.plusSeconds(i), log.get(i));
      state = state.apply(log.get(i));
      states.add(state);
    }

    assertThat(history.at(start.minusMillis(1))).isEqualTo(Rollout.initial(DOMAIN));
    for (int i = 0; i < log.size(); i++) {
      assertThat(history.at(start.plusSeconds(i))).isEqualTo(states.get(i));
      assertThat(history.at(start.plusSeconds(i).plusMillis(999))).isEqualTo(states.get(i));
    }
    assertThat(history.now()).isEqualTo(state);
    assertThat(history.entries()).anyMatch(entry -> entry.objection() != null);
  }

  /** A note written again by a job that was restarted. */
  @Test
  void aNoteStandsInHistoryOnce() {
    RolloutHistory history = new RolloutHistory(DOMAIN);
    RolloutEvent note =
        RolloutEvent.newBuilder()
            .setEventId("reviews step 7 adwin")
            .setDomain(DOMAIN)
            .setAction(RolloutAction.DRIFT)
            .setAuthor("adwin")
            .setCreatedAt(Instant.EPOCH)
            .build();

    history.add(0, Instant.EPOCH, note);
    history.add(1, Instant.EPOCH, note);

    assertThat(history.entries()).hasSize(1);
    assertThat(history.now()).isEqualTo(Rollout.initial(DOMAIN));
  }

  private List<RolloutEvent> randomLog(Random random) {
    versions.clear();
    now = Rollout.initial(DOMAIN);
    List<RolloutEvent> log = new ArrayList<>();
    Rollout seen = now;
    for (int i = 0; i < 60; i++) {
      if (random.nextInt(3) == 0) {
        log.add(publish(versions.size() + 1));
        continue;
      }
      // Who decides may not have seen the last ones.
      seen = random.nextInt(4) == 0 ? seen : now;
      RolloutDecisions decisions = new RolloutDecisions(seen, versions, "ann", "");
      Long version = random.nextBoolean() ? null : 1L + random.nextInt(8);
      try {
        RolloutEvent event =
            switch (random.nextInt(6)) {
              case 0 -> decisions.canary(version, random.nextDouble(0.01, 1));
              case 1 -> decisions.promote(version);
              case 2 -> decisions.rollback(version);
              case 3 -> decisions.pin(version);
              case 4 -> decisions.hold();
              default ->
                  decisions.policy(
                      List.of(RolloutPolicy.LATEST, RolloutPolicy.CANARY, RolloutPolicy.MANUAL)
                          .get(random.nextInt(3)),
                      null);
            };
        log.add(event);
        decide(event);
      } catch (RolloutRefusedException e) {
        // Nothing to write.
      }
    }
    return log;
  }

  private static Rollout fold(List<RolloutEvent> log) {
    Rollout state = Rollout.initial(DOMAIN);
    for (RolloutEvent event : log) {
      state = state.apply(event);
    }
    return state;
  }

  private RolloutDecisions by(String author) {
    return new RolloutDecisions(now, versions, author, "");
  }

  private void decide(RolloutEvent event) {
    now = now.apply(event);
  }

  private RolloutEvent publish(long version) {
    versions.put(version, ref(version));
    RolloutEvent event =
        RolloutEvent.newBuilder()
            .setEventId("v" + version)
            .setDomain(DOMAIN)
            .setAction(RolloutAction.PUBLISHED)
            .setVersion(ref(version))
            .setAuthor("job")
            .setCreatedAt(Instant.EPOCH)
            .build();
    now = now.apply(event);
    return event;
  }

  private static VersionRef ref(long version) {
    return new VersionRef(version, "%064x".formatted(version));
  }
}
