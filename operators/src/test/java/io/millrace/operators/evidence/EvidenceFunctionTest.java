package io.millrace.operators.evidence;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.operators.MiniLm;
import io.millrace.operators.Received;
import io.millrace.operators.adapt.AdaptHarness;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.BatchClosedBy;
import io.millrace.schemas.EvidenceProgress;
import io.millrace.schemas.ReceivedExample;
import io.millrace.schemas.RolloutAction;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.RolloutPolicy;
import io.millrace.schemas.TrainingStep;
import io.millrace.schemas.VersionRef;
import io.millrace.schemas.rollout.RolloutDecisions;
import java.time.Instant;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Evidence on real versions of one domain: the first knows the texts' labels, the second was
 * trained on the opposite for as long again, the third on the right ones once more.
 */
@Tag("integration")
class EvidenceFunctionTest {
  private static final int TRAINED_THROUGH = 600;

  private static AdapterVersion honest;
  private static AdapterVersion flipped;
  private static AdapterVersion honestAgain;

  private EvidenceHarness evidence;

  @BeforeAll
  static void train() throws Exception {
    try (AdaptHarness adapt = AdaptHarness.start(MiniLm.settings())) {
      adapt.receive("a", 0, 96);
      honest = last(adapt);
      for (int offset = 96; offset < 288; offset++) {
        ReceivedExample example = Received.example("a", 0, offset, offset);
        boolean negative = example.getExample().getLabel().equals("negative");
        example.getExample().setLabel(negative ? "positive" : "negative");
        adapt.receive(example);
      }
      flipped = last(adapt);
      adapt.receive("a", 288, TRAINED_THROUGH);
      honestAgain = last(adapt);
    }
  }

  private static AdapterVersion last(AdaptHarness adapt) {
    return adapt.versions().get(adapt.versions().size() - 1);
  }

  @BeforeEach
  void start() throws Exception {
    evidence = EvidenceHarness.start();
  }

  @AfterEach
  void stop() throws Exception {
    evidence.close();
  }

  @Test
  void underLatestItKeepsNothingAndComputesNothing() throws Exception {
    evidence.publish(honest);
    evidence.publish(flipped);
    examples(600, 700, true);
    evidence.pass(10_000);

    assertThat(evidence.decided()).isEmpty();
    assertThat(evidence.lookups()).isZero();
    assertThat(evidence.kept()).isZero();
  }

  @Test
  void aRolloutThatNobodyDecidedOnGetsItsFirstPolicyOnce() throws Exception {
    try (EvidenceHarness canary = startWith(RolloutPolicy.CANARY)) {
      canary.pass(1_000);
      assertThat(canary.decided()).as("without a version").isEmpty();
      canary.publish(honest);
      canary.pass(250);

      RolloutEvent first = canary.decided().get(0);
      assertThat(first.getAction()).isEqualTo(RolloutAction.POLICY);
      assertThat(first.getAuthor()).isEqualTo("job");
      assertThat(first.getReason()).isEqualTo("rollout.policy is canary");
      canary.pass(10_000);
      assertThat(canary.decided()).isEmpty();

      canary.log(first);
      assertThat(canary.now().policy()).isEqualTo(RolloutPolicy.CANARY);
      assertThat(canary.now().stable().orElseThrow().getSha256()).isEqualTo(honest.getSha256());
      canary.publish(flipped);
      canary.pass(250);
      assertThat(canary.decided())
          .extracting(RolloutEvent::getAction)
          .containsExactly(RolloutAction.CANARY);
    }
  }

  @Test
  void whatPeopleDecidedFirstStays() throws Exception {
    try (EvidenceHarness manual = startWith(RolloutPolicy.MANUAL)) {
      RolloutEvent pinned =
          new RolloutDecisions(
                  manual.now(), new TreeMap<>(Map.of(1L, new VersionRef(1L, "x"))), "ann", "")
              .pin(1L);
      manual.log(pinned);
      manual.publish(honest);
      manual.pass(1_000);

      assertThat(manual.decided()).isEmpty();
      assertThat(manual.now().policy()).isEqualTo(RolloutPolicy.PINNED);
    }
  }

  private static EvidenceHarness startWith(RolloutPolicy first) throws Exception {
    EvidenceSettings some = EvidenceHarness.SETTINGS;
    return EvidenceHarness.start(
        new EvidenceSettings(
            some.rules(),
            domain -> first,
            some.detectors(),
            some.methods(),
            some.modelStore(),
            some.modelName(),
            some.device(),
            some.metricsDomains()));
  }

  @Test
  void aCandidateOfFlippedLabelsIsTriedAndRolledBack() throws Exception {
    evidence.publish(honest);
    canaryPolicy();
    evidence.publish(flipped);
    evidence.pass(250);
    RolloutEvent canary = theDecision(RolloutAction.CANARY);
    assertThat(canary.getVersion().getVersion()).isEqualTo(flipped.getVersion());
    assertThat(canary.getShare()).isEqualTo(0.1);
    evidence.log(canary);

    examples(600, 632, true);

    RolloutEvent rollback = theDecision(RolloutAction.ROLLBACK);
    assertThat(rollback.getReason())
        .matches(
            "candidate 36 was right on 0 and wrong on (\\d+) of the \\1 examples \\(of \\1\\) where it"
                + " differs from stable 12; error rate 0.05");
    evidence.log(rollback);
    assertThat(evidence.now().stable().orElseThrow().getVersion()).isEqualTo(honest.getVersion());
    assertThat(evidence.now().candidate()).isNull();
    assertThat(evidence.lookups()).isEqualTo(2);
  }

  @Test
  void aBetterCandidateIsPromotedAndOneThatTurnsOutWorseTakenBack() throws Exception {
    evidence.publish(flipped);
    canaryPolicy();
    evidence.publish(honestAgain);
    evidence.pass(250);
    evidence.log(theDecision(RolloutAction.CANARY));
    examples(600, 632, true);
    evidence.log(theDecision(RolloutAction.PROMOTE));
    assertThat(evidence.now().stable().orElseThrow().getVersion())
        .isEqualTo(honestAgain.getVersion());

    // The world turns: now the other is right.
    examples(632, 664, false);

    RolloutEvent rollback = theDecision(RolloutAction.ROLLBACK);
    assertThat(rollback.getVersion().getVersion()).isEqualTo(flipped.getVersion());
    assertThat(rollback.getReason()).contains(", which it replaced");

    List<EvidenceProgress> reported = evidence.progress();
    assertThat(reported).extracting(EvidenceProgress::getWatch).contains(false, true);
    EvidenceProgress canary = reported.get(0);
    assertThat(canary.getTried()).isEqualTo(honestAgain.getVersion());
    assertThat(canary.getAgainst()).isEqualTo(flipped.getVersion());
    assertThat(canary.getExamples()).isBetween(1L, (long) EvidenceFunction.BATCH);
    assertThat(canary.getWins()).isPositive();
    assertThat(canary.getLimit()).isEqualTo(200);
    EvidenceProgress watch = reported.get(reported.size() - 1);
    assertThat(watch.getTried()).isEqualTo(honestAgain.getVersion());
    assertThat(watch.getLosses()).isGreaterThan(watch.getWins());
    assertThat(watch.getLimit()).isEqualTo(100);
  }

  @Test
  void examplesThatPassedBeforeTheCanaryBeganCountAtOnce() throws Exception {
    evidence.publish(honest);
    canaryPolicy();
    examples(600, 640, true);
    evidence.publish(flipped);
    evidence.pass(250);
    evidence.log(theDecision(RolloutAction.CANARY));
    evidence.pass(500);

    theDecision(RolloutAction.ROLLBACK);
  }

  @Test
  void examplesThatAVersionWasTrainedOnDoNotCount() throws Exception {
    evidence.publish(honest);
    canaryPolicy();
    evidence.publish(flipped);
    evidence.pass(250);
    evidence.log(theDecision(RolloutAction.CANARY));
    examples(0, 288, true);
    evidence.pass(500);
    assertThat(evidence.decided()).isEmpty();

    examples(288, 304, true);
    theDecision(RolloutAction.ROLLBACK);
  }

  @Test
  void aFewExamplesWaitNoLongerThanAMomentForOthers() throws Exception {
    canaryOfFlipped();
    examples(600, 612, true);
    assertThat(evidence.decided()).isEmpty();
    evidence.pass(250);

    theDecision(RolloutAction.ROLLBACK);
  }

  @Test
  void aDecisionThatCameTooLateIsMadeAgainOnWhatCameFirst() throws Exception {
    canaryOfFlipped();
    examples(600, 632, true);
    RolloutEvent late = theDecision(RolloutAction.ROLLBACK);
    evidence.log(people().policy(RolloutPolicy.CANARY, 0.5));
    evidence.log(late);
    evidence.pass(250);

    RolloutEvent again = theDecision(RolloutAction.ROLLBACK);
    assertThat(again.getBasedOn()).isEqualTo(evidence.now().revision());
  }

  @Test
  void oneDecisionIsMadeOnARevision() throws Exception {
    canaryOfFlipped();
    examples(600, 632, true);
    theDecision(RolloutAction.ROLLBACK);
    examples(632, 680, true);
    evidence.pass(10_000);

    assertThat(evidence.decided()).isEmpty();
  }

  @Test
  void aLongLogIsReadToItsEndBeforeAnythingIsDecided() throws Exception {
    evidence.publish(honest);
    canaryPolicy();
    evidence.publish(flipped);
    evidence.pass(200);
    evidence.log(people().policy(RolloutPolicy.LATEST, null));
    evidence.pass(1_000);

    assertThat(evidence.decided()).isEmpty();
  }

  @Test
  void aRestoredTaskGoesOnCounting() throws Exception {
    canaryOfFlipped();
    examples(600, 604, true);
    evidence.pass(250);
    try (EvidenceHarness restored = evidence.restored()) {
      // By themselves too few for an answer.
      for (int offset = 604; offset < 609; offset++) {
        restored.example(offset, true);
      }
      restored.pass(250);

      assertThat(restored.decided())
          .extracting(RolloutEvent::getAction)
          .containsExactly(RolloutAction.ROLLBACK);
    }
  }

  @Test
  void aCandidateThatWasPrunedIsHeld() throws Exception {
    canaryOfFlipped();
    evidence.place(flipped.getVersion(), null);
    examples(600, 632, true);
    evidence.pass(31_000);

    assertThat(theDecision(RolloutAction.HOLD).getReason()).endsWith("version 36 any more");
    assertThat(evidence.lookups()).isEqualTo(1);
  }

  /** After an upgrade the places of all versions are read first, which may take minutes. */
  @Test
  void whilePlacesOfThePastAreReadAMissingOneIsWaitedFor() throws Exception {
    evidence.pass(100_000);
    evidence.publish(honest);
    canaryPolicy();
    evidence.announce(flipped);
    evidence.pass(250);
    evidence.log(theDecision(RolloutAction.CANARY));
    examples(600, 632, true);
    for (int i = 0; i < 20; i++) {
      evidence.placeOfThePast(i + 1);
      evidence.pass(3_000);
    }
    assertThat(evidence.decided()).isEmpty();

    evidence.place(flipped.getVersion(), flipped.getSha256());
    evidence.publishPayload(flipped);
    evidence.pass(2_000);

    assertThat(theDecision(RolloutAction.ROLLBACK).getReason()).startsWith("candidate 36 was");
  }

  /** Its steps count from 1 again; a detector that remembers would take them for old ones. */
  @Test
  void aDomainThatIsForgottenIsWatchedAnew() throws Exception {
    for (int step = 1; step <= 80; step++) {
      evidence.step(step(step, true));
    }
    evidence.forget();
    for (int step = 1; step <= 70; step++) {
      evidence.step(step(step, step <= 60));
    }

    assertThat(evidence.decided())
        .extracting(RolloutEvent::getEventId)
        .isNotEmpty()
        .allMatch(id -> id.matches("a step 6\\d adwin"));
  }

  @Test
  void aCandidateWhosePayloadIsGoneIsHeld() throws Exception {
    evidence.publish(honest);
    canaryPolicy();
    evidence.announce(flipped);
    evidence.pass(250);
    evidence.log(theDecision(RolloutAction.CANARY));
    examples(600, 632, true);
    evidence.pass(29_000);
    assertThat(evidence.decided()).isEmpty();
    evidence.pass(2_000);

    assertThat(theDecision(RolloutAction.HOLD).getReason())
        .isEqualTo(
            "candidate 36 cannot be compared with stable 12: the topic adapters does not hold version"
                + " 36 any more");
  }

  @Test
  void aCandidateThatFitsNoModelHereIsHeld() throws Exception {
    evidence.publish(honest);
    canaryPolicy();
    AdapterVersion damaged =
        AdapterVersion.newBuilder(flipped).setPayload(honest.getPayload().duplicate()).build();
    evidence.publish(damaged);
    evidence.pass(250);
    evidence.log(theDecision(RolloutAction.CANARY));
    examples(600, 616, true);

    assertThat(theDecision(RolloutAction.HOLD).getReason())
        .startsWith("candidate 36 cannot be compared with stable 12: version 36 is damaged:");
  }

  @Test
  void noMoreThanTheNewestExamplesAreKept() throws Exception {
    evidence.publish(honest);
    canaryPolicy();
    evidence.pass(250);
    examples(0, EvidenceFunction.KEPT + 100, true);
    assertThat(evidence.kept()).isEqualTo(EvidenceFunction.KEPT);

    evidence.log(people().policy(RolloutPolicy.MANUAL, null));
    evidence.pass(250);
    assertThat(evidence.kept()).isZero();
  }

  @Test
  void aFallOfAccuracyIsNotedOnceHoweverOftenItsStepComes() throws Exception {
    for (int step = 1; step <= 100; step++) {
      evidence.step(step(step, step <= 80));
      evidence.step(step(step, step <= 80));
    }

    List<RolloutEvent> notes = evidence.decided();
    assertThat(notes).singleElement();
    RolloutEvent note = notes.get(0);
    assertThat(note.getAction()).isEqualTo(RolloutAction.DRIFT);
    assertThat(note.getAuthor()).isEqualTo("adwin");
    assertThat(note.getEventId()).matches("a step 8\\d adwin");
    assertThat(note.getReason())
        .matches(
            "accuracy fell from 1.00 of \\d+ examples to 0.00 of the last \\d+, seen at step 8\\d");
  }

  private static TrainingStep step(int number, boolean right) {
    return TrainingStep.newBuilder()
        .setDomain("a")
        .setStep(number)
        .setClosedBy(BatchClosedBy.COUNT)
        .setBatch(List.of())
        .setCorrect(Collections.nCopies(16, right))
        .setLoss(1)
        .setStateSha256("")
        .setStepMillis(1)
        .setFinishedAt(Instant.EPOCH)
        .build();
  }

  private void canaryOfFlipped() throws Exception {
    evidence.publish(honest);
    canaryPolicy();
    evidence.publish(flipped);
    evidence.pass(250);
    evidence.log(theDecision(RolloutAction.CANARY));
  }

  private void canaryPolicy() throws Exception {
    evidence.log(people().policy(RolloutPolicy.CANARY, null));
  }

  private RolloutDecisions people() {
    return new RolloutDecisions(evidence.now(), evidence.versions(), "ann", "");
  }

  private void examples(int from, int to, boolean trueLabels) throws Exception {
    for (int offset = from; offset < to; offset++) {
      evidence.example(offset, trueLabels);
    }
  }

  private RolloutEvent theDecision(RolloutAction action) {
    List<RolloutEvent> decided = evidence.decided();
    assertThat(decided).extracting(RolloutEvent::getAction).containsExactly(action);
    return decided.get(0);
  }
}
