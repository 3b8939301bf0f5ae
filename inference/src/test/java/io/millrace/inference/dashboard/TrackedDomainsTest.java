package io.millrace.inference.dashboard;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.inference.TestProgress;
import io.millrace.schemas.DomainProgress;
import io.millrace.schemas.RolloutAction;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.VersionRef;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class TrackedDomainsTest {
  private static final Instant START = Instant.parse("2026-11-28T10:00:00Z");

  private final TrackedDomains domains = new TrackedDomains(3);

  private static DomainProgress step(String domain, long step, int seconds, int correct) {
    Instant at = START.plusSeconds(seconds);
    long[] compared = {step * 16, step * correct, step * 4};
    return TestProgress.progress(
        domain, at, TestProgress.training(step, at, step / 10, correct, 4, compared));
  }

  private static RolloutEvent event(RolloutAction action, long version, String reason) {
    return RolloutEvent.newBuilder()
        .setEventId(action + "-" + version)
        .setDomain("films")
        .setAction(action)
        .setVersion(new VersionRef(version, "a".repeat(64)))
        .setAuthor("job")
        .setReason(reason)
        .setCreatedAt(START)
        .build();
  }

  private int size(String domain) {
    return domains.readOne(domain, known -> known.history().size());
  }

  @Test
  void aStepThatWasWrittenTwiceCountsOnce() {
    domains.take(step("films", 1, 1, 8));
    domains.take(step("films", 2, 2, 8));
    domains.take(step("films", 2, 2, 8));
    domains.take(step("films", 1, 1, 8));

    assertThat(size("films")).isEqualTo(2);
    assertThat(domains.<Long>readOne("films", known -> known.training().get().getStep()))
        .isEqualTo(2);
  }

  @Test
  void whatTheJobTakesAgainAfterACrashReplacesWhatItReportedBefore() {
    for (int i = 1; i <= 5; i++) {
      domains.take(step("films", i, i, 8));
    }

    domains.take(step("films", 4, 60, 12));

    assertThat(size("films")).isEqualTo(4);
    assertThat(domains.<Integer>readOne("films", known -> known.history().correct(3)))
        .isEqualTo(12);
    assertThat(domains.<Instant>readOne("films", TrackedDomain::steppedAt))
        .isEqualTo(START.plusSeconds(60));
  }

  @Test
  void aDomainThatBeginsAnewIsComparedAnew() {
    for (int i = 1; i <= 50; i++) {
      domains.take(step("films", i, i, 8));
    }

    domains.take(step("films", 1, 100, 3));

    assertThat(size("films")).isEqualTo(1);
    assertThat(domains.<Comparison>readOne("films", TrackedDomain::comparison))
        .isEqualTo(new Comparison(16, 3, 4, 3));
    assertThat(domains.<Instant>readOne("films", known -> known.newestExampleOf(4))).isNull();
  }

  @Test
  void theVersionThatTheJobPublishesAtItsEndHasTheNewestExample() {
    domains.take(step("films", 25, 1, 8));

    assertThat(domains.<Instant>readOne("films", known -> known.newestExampleOf(3)))
        .isEqualTo(START.plusSeconds(1).minusMillis(400));
  }

  @Test
  void ofMoreDomainsThanItHoldsThoseLeaveThatWereHeardOfLongestAgo() {
    domains.take(step("a", 1, 1, 8));
    domains.take(step("b", 1, 2, 8));
    domains.take(step("c", 1, 3, 8));
    domains.readOne("b", known -> known);
    domains.take(step("a", 2, 4, 8));
    domains.take(step("d", 1, 5, 8));

    List<String> held = domains.read(all -> names(all));
    assertThat(held).containsExactlyInAnyOrder("a", "c", "d");
    assertThat(domains.<TrackedDomain>readOne("b", known -> known)).isNull();
    assertThat(domains.left()).isEqualTo(1);
  }

  private static List<String> names(Collection<TrackedDomain> all) {
    return all.stream().map(TrackedDomain::name).toList();
  }

  @Test
  void marksAreBoundedAndPublicationsDoNotDriveDecisionsOut() {
    domains.take(event(RolloutAction.DRIFT, 1, "x".repeat(1000)), START);
    for (int version = 1; version <= 500; version++) {
      domains.take(event(RolloutAction.PUBLISHED, version, ""), START.plusSeconds(version));
    }

    List<Mark> decisions = domains.readOne("films", known -> marks(known.decisions()));
    Publications publications = domains.readOne("films", TrackedDomain::publications);
    assertThat(decisions).singleElement().extracting(Mark::action).isEqualTo("drift");
    assertThat(decisions.get(0).reason()).hasSizeLessThan(250);
    assertThat(publications.size()).isBetween(Publications.MOST / 2, Publications.MOST);
    for (int i = 0; i < publications.size(); i++) {
      assertThat(publications.version(i)).isEqualTo(501 - publications.size() + i);
      assertThat(publications.time(i))
          .isEqualTo(START.plusSeconds(publications.version(i)).toEpochMilli());
    }
  }

  private static List<Mark> marks(Iterable<Mark> marks) {
    List<Mark> list = new ArrayList<>();
    marks.forEach(list::add);
    return list;
  }

  @Test
  void aDecisionWithoutAnEffectIsNoMark() {
    RolloutEvent stale =
        RolloutEvent.newBuilder(event(RolloutAction.PROMOTE, 1, "")).setBasedOn(7L).build();

    domains.take(stale, START);

    assertThat(domains.<List<Mark>>readOne("films", known -> marks(known.decisions()))).isEmpty();
  }

  @Test
  void aTopicMadeAnewTakesItsOwnPartAlone() {
    domains.take(step("films", 1, 1, 8));
    domains.take(event(RolloutAction.PUBLISHED, 1, ""), START);

    domains.forgetProgress();

    assertThat(size("films")).isZero();
    assertThat(domains.<Long>readOne("films", known -> known.rollout().newest().getVersion()))
        .isEqualTo(1);
  }
}
