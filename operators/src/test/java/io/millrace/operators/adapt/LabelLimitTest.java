package io.millrace.operators.adapt;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.operators.MiniLm;
import io.millrace.operators.Received;
import io.millrace.operators.adapt.AdaptSettings.Limits;
import io.millrace.schemas.OutgoingRecord;
import io.millrace.schemas.Topics;
import io.millrace.schemas.TrainingStep;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A domain has at most so many labels: here three. Batches of four. */
@Tag("unit")
class LabelLimitTest {
  private static final Limits THREE = new Limits(3, 64L << 20, 64L << 20, 1000, Duration.ZERO);

  @Test
  void anExampleWithOneLabelTooManyIsADeadLetterAndTheOthersTrain() throws Exception {
    try (AdaptHarness adapt = AdaptHarness.start(MiniLm.settings(THREE))) {
      receive(adapt, 0, "a", "b", "c", "d");
      receive(adapt, 4, "e", "c", "f", "a");
      receive(adapt, 8, "g", "h", "i", "k");

      assertThat(adapt.steps()).extracting(step -> step.getCorrect().size()).containsExactly(3, 2);
      TrainingStep second = adapt.steps().get(1);
      assertThat(second.getBatch()).extracting(run -> run.getFirstOffset()).containsExactly(5L, 7L);
      assertThat(adapt.state("x").getLabels()).containsExactly("a", "b", "c");
      assertThat(adapt.deadLetters())
          .extracting(letter -> letter.getHeaders().get(Topics.DEAD_LETTER_OFFSET))
          .containsExactly("3", "4", "6", "8", "9", "10", "11");
      OutgoingRecord letter = adapt.deadLetters().get(0);
      assertThat(letter.getHeaders())
          .containsEntry(Topics.DEAD_LETTER_ERROR_CLASS, "TooManyLabels")
          .containsEntry(
              Topics.DEAD_LETTER_ERROR_MESSAGE,
              "the domain has 3 labels, and this is another one; limits.labels allows 3");
      assertThat(letter.getValue()).isEqualTo(Received.bytes("value 3"));
    }
  }

  @Test
  void belowTheLimitItChangesNoBit() throws Exception {
    try (AdaptHarness limited = AdaptHarness.start(MiniLm.settings(THREE));
        AdaptHarness other = AdaptHarness.start(MiniLm.settings())) {
      for (AdaptHarness adapt : List.of(limited, other)) {
        receive(adapt, 0, "a", "b", "a", "c");
        receive(adapt, 4, "c", "b", "a", "b");
      }

      assertThat(limited.steps())
          .extracting(TrainingStep::getStateSha256)
          .isEqualTo(other.steps().stream().map(TrainingStep::getStateSha256).toList());
    }
  }

  @Test
  void labelsThatStateHasAlreadyStay() throws Exception {
    try (AdaptHarness before = AdaptHarness.start(MiniLm.settings())) {
      receive(before, 0, "a", "b", "c", "d");
      try (AdaptHarness adapt = AdaptHarness.restore(MiniLm.settings(THREE), before.snapshot())) {
        receive(adapt, 4, "d", "e", "c", "b");

        assertThat(adapt.steps().get(0).getCorrect()).hasSize(3);
        assertThat(adapt.state("x").getLabels()).containsExactly("a", "b", "c", "d");
      }
    }
  }

  private static void receive(AdaptHarness adapt, int from, String... labels) throws Exception {
    for (int i = 0; i < labels.length; i++) {
      adapt.receive(Received.labeled("x", from + i, labels[i]));
    }
  }
}
