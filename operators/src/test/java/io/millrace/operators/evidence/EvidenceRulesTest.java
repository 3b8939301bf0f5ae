package io.millrace.operators.evidence;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.schemas.Comparison;
import io.millrace.schemas.ComparisonKind;
import io.millrace.schemas.RolloutAction;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.RolloutPolicy;
import io.millrace.schemas.VersionRef;
import io.millrace.schemas.rollout.Rollout;
import io.millrace.schemas.rollout.RolloutDecisions;
import java.time.Instant;
import java.util.NavigableMap;
import java.util.TreeMap;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class EvidenceRulesTest {
  private static final String DOMAIN = "reviews";

  private EvidenceRules rules = new EvidenceRules(new PairedTest(0.05, 0.05, 0, 2_000), 500, 0.1);
  private final NavigableMap<Long, VersionRef> versions = new TreeMap<>();
  private Rollout now = Rollout.initial(DOMAIN);
  private Comparison comparison;

  @Test
  void underLatestAndPinnedItDecidesNothing() throws Exception {
    publish(1);
    publish(2);
    assertNothing();

    decide(people().pin(1L));
    publish(3);
    assertNothing();
  }

  @Test
  void theNewestVersionIsTriedOnTheRolloutsShareOrTheSettings() throws Exception {
    publish(1);
    decide(people().policy(RolloutPolicy.CANARY, null));
    assertNothing();
    publish(2);
    publish(3);

    RolloutEvent canary = decision();
    assertThat(canary.getAction()).isEqualTo(RolloutAction.CANARY);
    assertThat(canary.getVersion()).isEqualTo(ref(3));
    assertThat(canary.getShare()).isEqualTo(0.1);
    assertThat(canary.getAuthor()).isEqualTo("evidence");
    assertThat(canary.getBasedOn()).isEqualTo(1);

    decide(people().policy(RolloutPolicy.CANARY, 0.25));
    assertThat(decision().getShare()).isEqualTo(0.25);
  }

  @Test
  void aBetterCandidateIsPromotedAndThenWatched() throws Exception {
    canary();
    count(41, 12, 240);

    RolloutEvent promotion = decision();
    assertThat(promotion.getAction()).isEqualTo(RolloutAction.PROMOTE);
    assertThat(promotion.getVersion()).isEqualTo(ref(2));
    assertThat(promotion.getReason())
        .isEqualTo(
            "candidate 2 was right on 41 and wrong on 12 of the 53 examples (of 240) where it"
                + " differs from stable 1; error rate 0.05");

    decide(promotion);
    assertThat(comparison.getKind()).isEqualTo(ComparisonKind.WATCH);
    assertThat(comparison.getTried()).isEqualTo(ref(2));
    assertThat(comparison.getAgainst()).isEqualTo(ref(1));
    assertThat(comparison.getExamples()).isZero();
  }

  @Test
  void withAMarginOneThatIsAsGoodIsPromotedAndTheReasonSaysSo() throws Exception {
    rules = new EvidenceRules(new PairedTest(0.05, 0.05, 0.05, 2_000), 500, 0.1);
    canary();
    count(3, 3, 200);

    RolloutEvent promotion = decision();
    assertThat(promotion.getAction()).isEqualTo(RolloutAction.PROMOTE);
    assertThat(promotion.getReason())
        .endsWith(
            "of the 6 examples (of 200) where it differs from stable 1; error rate 0.05,"
                + " margin 0.05");
  }

  @Test
  void aWorseCandidateIsRolledBackAndNotTriedAgain() throws Exception {
    canary();
    count(12, 41, 240);

    RolloutEvent rollback = decision();
    assertThat(rollback.getAction()).isEqualTo(RolloutAction.ROLLBACK);
    assertThat(rollback.getVersion()).isEqualTo(ref(1));
    assertThat(rollback.getReason())
        .startsWith("candidate 2 was right on 12 and wrong on 41 of the 53 examples");

    decide(rollback);
    assertThat(comparison).isNull();
    assertNothing();
    publish(3);
    assertThat(decision().getVersion()).isEqualTo(ref(3));
  }

  @Test
  void withoutAnAnswerWithinTheLimitTheCandidateIsHeldForPeople() throws Exception {
    canary();
    count(30, 28, 1_999);
    assertNothing();
    count(30, 28, 2_000);

    RolloutEvent hold = decision();
    assertThat(hold.getAction()).isEqualTo(RolloutAction.HOLD);
    assertThat(hold.getReason())
        .isEqualTo(
            "no answer within 2000 examples: candidate 2 was right on 30 and wrong on 28 of the 58"
                + " examples (of 2000) where it differs from stable 1");

    decide(hold);
    publish(3);
    assertThat(comparison).isNull();
    assertNothing();
  }

  @Test
  void peopleWhoTryAHeldCandidateOnceMoreGetANewTest() throws Exception {
    canary();
    count(30, 28, 2_000);
    decide(decision());

    decide(people().canary(2L, 0.2));

    assertThat(comparison.getExamples()).isZero();
    assertNothing();
  }

  @Test
  void anotherShareForTheCandidateGoesOnWithTheTest() throws Exception {
    canary();
    count(3, 2, 40);

    decide(people().policy(RolloutPolicy.CANARY, 0.5));

    assertThat(comparison.getExamples()).isEqualTo(40);
  }

  @Test
  void whatCannotBeComparedIsHeldWithTheReason() throws Exception {
    canary();
    comparison.setFlaw("it belongs to another base model");

    RolloutEvent hold = decision();
    assertThat(hold.getAction()).isEqualTo(RolloutAction.HOLD);
    assertThat(hold.getReason())
        .isEqualTo(
            "candidate 2 cannot be compared with stable 1: it belongs to another base model");
  }

  @Test
  void withNothingToCompareWithTheFirstVersionIsPromotedAtOnce() throws Exception {
    decide(people().policy(RolloutPolicy.CANARY, null));
    assertNothing();
    publish(1);

    RolloutEvent promotion = decision();
    assertThat(promotion.getAction()).isEqualTo(RolloutAction.PROMOTE);
    assertThat(promotion.getVersion()).isEqualTo(ref(1));
    assertThat(promotion.getReason()).isEqualTo("there was no stable version to compare it with");
    decide(promotion);
    assertThat(comparison).isNull();
  }

  @Test
  void aPromotedVersionThatDoesWorseThanTheOneItReplacedGoes() throws Exception {
    publish(1);
    publish(2);
    decide(people().policy(RolloutPolicy.MANUAL, null));
    decide(people().promote(1L));
    count(5, 20, 100);

    RolloutEvent rollback = decision();
    assertThat(rollback.getAction()).isEqualTo(RolloutAction.ROLLBACK);
    assertThat(rollback.getVersion()).isEqualTo(ref(2));
    assertThat(rollback.getReason())
        .isEqualTo(
            "version 1 was right on 5 and wrong on 20 of the 25 examples (of 100) where it differs"
                + " from version 2, which it replaced; error rate 0.05");

    decide(rollback);
    assertThat(comparison).isNull();
    assertNothing();
  }

  @Test
  void theNextCandidateWaitsUntilAWatchIsOver() throws Exception {
    canary();
    count(41, 12, 240);
    decide(decision());
    publish(3);

    count(40, 1, 499);
    assertThat(rules.open(comparison)).isTrue();
    assertNothing();

    count(40, 1, 500);
    assertThat(rules.open(comparison)).isFalse();
    assertThat(decision().getVersion()).isEqualTo(ref(3));
  }

  /** Under the policy canary, with version 1 stable and version 2 as candidate. */
  private void canary() throws Exception {
    publish(1);
    decide(people().policy(RolloutPolicy.CANARY, null));
    publish(2);
    decide(decision());
    assertThat(comparison.getKind()).isEqualTo(ComparisonKind.CANARY);
  }

  private void count(long wins, long losses, long examples) {
    comparison.setWins(wins);
    comparison.setLosses(losses);
    comparison.setExamples(examples);
  }

  private RolloutEvent decision() {
    return rules.decision(now, comparison).orElseThrow();
  }

  private void assertNothing() {
    assertThat(rules.decision(now, comparison)).isEmpty();
  }

  private RolloutDecisions people() {
    return new RolloutDecisions(now, versions, "ann", "");
  }

  private void decide(RolloutEvent event) {
    assertThat(now.objection(event)).isEmpty();
    now = now.apply(event);
    comparison = rules.comparison(now, comparison).orElse(null);
  }

  private void publish(long version) {
    versions.put(version, ref(version));
    now =
        now.apply(
            RolloutEvent.newBuilder()
                .setEventId("v" + version)
                .setDomain(DOMAIN)
                .setAction(RolloutAction.PUBLISHED)
                .setVersion(ref(version))
                .setAuthor("job")
                .setCreatedAt(Instant.EPOCH)
                .build());
    comparison = rules.comparison(now, comparison).orElse(null);
  }

  private static VersionRef ref(long version) {
    return new VersionRef(version, "%064x".formatted(version));
  }
}
