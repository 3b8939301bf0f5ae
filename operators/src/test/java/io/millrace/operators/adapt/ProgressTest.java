package io.millrace.operators.adapt;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.operators.MiniLm;
import io.millrace.operators.Received;
import io.millrace.operators.model.SharedModel;
import io.millrace.schemas.DomainProgress;
import io.millrace.schemas.FrozenScore;
import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.TrainingProgress;
import io.millrace.schemas.TrainingStep;
import io.millrace.svft.tensor.Kernels;
import io.millrace.svft.tensor.Torch;
import io.millrace.svft.training.StepResult;
import io.millrace.svft.training.Trainer;
import io.millrace.svft.training.TrainingExample;
import io.millrace.svft.training.TrainingSettings;
import io.millrace.svft.training.TrainingState;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What people are told after each step. A version every two steps of four examples. */
@Tag("unit")
class ProgressTest {
  private static final AdaptSettings EVERY_STEP = MiniLm.settings().withFrozenShare(1);

  @Test
  void everyStepIsReportedWithItsVersionAndItsCounts() throws Exception {
    try (AdaptHarness adapt = AdaptHarness.start(EVERY_STEP)) {
      adapt.receive("a", 0, 12);

      List<TrainingStep> steps = adapt.steps();
      List<TrainingProgress> reported = training(adapt);
      assertThat(reported).extracting(TrainingProgress::getStep).containsExactly(1L, 2L, 3L);
      assertThat(reported).extracting(TrainingProgress::getVersion).containsExactly(0L, 1L, 1L);
      assertThat(reported)
          .extracting(TrainingProgress::getTotalExamples)
          .containsExactly(4L, 8L, 12L);
      assertThat(reported)
          .extracting(TrainingProgress::getNewestExampleAt)
          .containsExactly(
              Instant.ofEpochMilli(3), Instant.ofEpochMilli(7), Instant.ofEpochMilli(11));
      for (int i = 0; i < 3; i++) {
        assertThat(reported.get(i).getLoss()).isEqualTo(steps.get(i).getLoss());
        assertThat(reported.get(i).getCorrect()).isEqualTo(steps.get(i).getCorrect());
      }
    }
  }

  @Test
  void theFrozenModelTrainsItsHeadOnTheSameBatches() throws Exception {
    try (AdaptHarness adapt = AdaptHarness.start(EVERY_STEP)) {
      adapt.receive("a", 0, 40);

      List<FrozenScore> frozen = training(adapt).stream().map(TrainingProgress::getFrozen).toList();
      List<StepResult> alone = headAlone(40);
      assertThat(frozen).hasSize(10).doesNotContainNull();
      assertThat(frozen)
          .extracting(FrozenScore::getLoss)
          .isEqualTo(alone.stream().map(StepResult::loss).toList());
      List<Boolean> byFrozen = frozen.stream().flatMap(f -> f.getCorrect().stream()).toList();
      assertThat(byFrozen)
          .isEqualTo(alone.stream().flatMap(ProgressTest::correct).toList())
          .contains(true, false);
      List<Boolean> byAdapted =
          training(adapt).stream().flatMap(t -> t.getCorrect().stream()).toList();
      FrozenScore last = frozen.get(9);
      assertThat(last.getComparedExamples()).isEqualTo(40);
      assertThat(last.getComparedFrozen()).isEqualTo(Collections.frequency(byFrozen, true));
      assertThat(last.getComparedAdapted()).isEqualTo(Collections.frequency(byAdapted, true));
      assertThat(last.getComparedBoth())
          .isEqualTo(
              IntStream.range(0, 40).filter(i -> byFrozen.get(i) && byAdapted.get(i)).count());
    }
  }

  private static List<StepResult> headAlone(int examples) throws IOException {
    List<StepResult> results = new ArrayList<>();
    TrainingSettings head = EVERY_STEP.domains().of("a").training().ofHeadAlone();
    try (SharedModel.Lease model =
            SharedModel.open(
                EVERY_STEP.modelStore(),
                EVERY_STEP.modelName(),
                Torch.device("cpu"),
                Set.of(),
                Kernels.FAST);
        Trainer trainer = new Trainer(model.base(), head, 1)) {
      TrainingState state = trainer.initialState();
      for (int from = 0; from < examples; from += 4) {
        List<TrainingExample> batch = new ArrayList<>();
        for (int offset = from; offset < from + 4; offset++) {
          LabeledExample example = Received.example("a", 0, offset, offset).getExample();
          batch.add(
              new TrainingExample(example.getText(), example.getLabel(), example.getWeight()));
        }
        StepResult result = trainer.step(state, batch);
        state = result.state();
        results.add(result);
      }
    }
    return results;
  }

  private static Stream<Boolean> correct(StepResult result) {
    return IntStream.range(0, result.correct().length).mapToObj(i -> result.correct()[i]);
  }

  @Test
  void comparingChangesNoBitOfTraining() throws Exception {
    assertThat(hashes(EVERY_STEP)).hasSize(6).isEqualTo(hashes(MiniLm.settings()));
  }

  private static List<String> hashes(AdaptSettings settings) throws Exception {
    try (AdaptHarness adapt = AdaptHarness.start(settings)) {
      adapt.receive("a", 0, 24);
      return adapt.steps().stream().map(TrainingStep::getStateSha256).toList();
    }
  }

  @Test
  void withoutTimeForItNoStepIsComparedAndAllAreReported() throws Exception {
    try (AdaptHarness adapt = AdaptHarness.start(MiniLm.settings().withFrozenShare(0))) {
      adapt.receive("a", 0, 8);

      assertThat(training(adapt)).extracting(TrainingProgress::getFrozen).containsOnlyNulls();
      assertThat(training(adapt)).hasSize(2);
    }
  }

  @Test
  void theFrozenModelGoesOnAfterARestartWhereTheCheckpointWas() throws Exception {
    List<FrozenScore> undisturbed;
    OperatorSubtaskState snapshot;
    try (AdaptHarness adapt = AdaptHarness.start(EVERY_STEP)) {
      adapt.receive("a", 0, 10);
      snapshot = adapt.snapshot();
      adapt.receive("a", 10, 24);
      undisturbed = training(adapt).stream().map(TrainingProgress::getFrozen).toList();
    }
    try (AdaptHarness adapt = AdaptHarness.restore(EVERY_STEP, snapshot)) {
      adapt.receive("a", 10, 24);

      assertThat(training(adapt).stream().map(TrainingProgress::getFrozen))
          .isEqualTo(undisturbed.subList(2, 6));
    }
  }

  @Test
  void aJobThatDidNotCompareBeginsToAndTheOtherWayRound() throws Exception {
    OperatorSubtaskState without;
    try (AdaptHarness adapt = AdaptHarness.start(MiniLm.settings())) {
      adapt.receive("a", 0, 8);
      without = adapt.snapshot();
    }
    try (AdaptHarness adapt = AdaptHarness.restore(EVERY_STEP, without)) {
      adapt.receive("a", 8, 16);

      assertThat(training(adapt).get(1).getFrozen().getComparedExamples()).isEqualTo(8);
      assertThat(training(adapt).get(1).getTotalExamples()).isEqualTo(16);
    }

    OperatorSubtaskState with;
    try (AdaptHarness adapt = AdaptHarness.start(EVERY_STEP)) {
      adapt.receive("a", 0, 8);
      with = adapt.snapshot();
    }
    try (AdaptHarness adapt = AdaptHarness.restore(MiniLm.settings(), with)) {
      adapt.receive("a", 8, 16);

      assertThat(training(adapt).get(1).getTotalExamples()).isEqualTo(16);
    }
  }

  @Test
  void itSaysWhenTheLastCheckpointWasComplete() throws Exception {
    try (AdaptHarness adapt = AdaptHarness.start(MiniLm.settings())) {
      adapt.receive("a", 0, 4);
      adapt.clock(4_000);
      adapt.snapshot();
      adapt.checkpointCompleted();
      adapt.receive("a", 4, 8);

      assertThat(training(adapt))
          .extracting(TrainingProgress::getCheckpointedAt)
          .containsExactly(null, Instant.ofEpochMilli(4_000));
    }
  }

  private static List<TrainingProgress> training(AdaptHarness adapt) {
    return adapt.progress().stream().map(DomainProgress::getTraining).toList();
  }
}
