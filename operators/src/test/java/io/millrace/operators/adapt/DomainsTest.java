package io.millrace.operators.adapt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import io.millrace.operators.MiniLm;
import io.millrace.operators.Received;
import io.millrace.operators.model.SharedModel;
import io.millrace.schemas.DomainState;
import io.millrace.schemas.OutgoingRecord;
import io.millrace.schemas.ReceivedExample;
import io.millrace.schemas.Topics;
import io.millrace.schemas.TrainingStep;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.task.Classification;
import io.millrace.svft.tensor.BatchLayout;
import io.millrace.svft.training.Moments;
import io.millrace.svft.training.TrainingSettings;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** No domain and no batch costs another anything. */
@Tag("unit")
class DomainsTest {
  @Test
  void interleavedDomainsTrainAsEachWouldAlone() throws Exception {
    List<String> a;
    List<String> b;
    try (AdaptHarness alone = AdaptHarness.start(MiniLm.settings())) {
      alone.receive("a", 0, 12);
      a = states(alone, "a");
    }
    try (AdaptHarness alone = AdaptHarness.start(MiniLm.settings())) {
      alone.receive("b", 30, 38);
      b = states(alone, "b");
    }

    try (AdaptHarness together = AdaptHarness.start(MiniLm.settings())) {
      for (int i = 0; i < 12; i++) {
        together.receive("a", i, i + 1);
        if (i < 8) {
          together.receive("b", 30 + i, 31 + i);
        }
      }
      assertThat(states(together, "a")).isEqualTo(a).hasSize(3);
      assertThat(states(together, "b")).isEqualTo(b).hasSize(2);
    }
  }

  @Test
  void twoTasksShareTheModelAndNothingElse() throws Exception {
    try (AdaptHarness one = AdaptHarness.start(MiniLm.settings());
        AdaptHarness two = AdaptHarness.start(MiniLm.settings())) {
      one.receive("a", 0, 4);
      two.receive("a", 0, 8);
      one.receive("a", 4, 8);

      assertThat(states(one, "a")).isEqualTo(states(two, "a"));
      assertThat(SharedModel.loaded()).isEqualTo(1);
    }
  }

  @Test
  void aBatchThatCannotBeTrainedOnGoesToDeadLettersAndStateStays() throws Exception {
    try (AdaptHarness adapt = AdaptHarness.start(MiniLm.settings(reckless(), MiniLm.STORE))) {
      adapt.receive("a", 0, 4);
      adapt.receive("a", 4, 8);
      DomainState before = adapt.state("a");
      adapt.receive("a", 8, 12);

      assertThat(adapt.steps()).hasSize(2);
      assertThat(adapt.state("a")).isEqualTo(before);
      assertThat(adapt.deadLetters()).hasSize(4);
      OutgoingRecord letter = adapt.deadLetters().get(1);
      assertThat(letter.getKey()).isEqualTo(Received.bytes("a"));
      assertThat(letter.getValue()).isEqualTo(Received.bytes("value 9"));
      assertThat(letter.getHeaders())
          .containsEntry(Topics.DEAD_LETTER_TOPIC, "labeled-examples")
          .containsEntry(Topics.DEAD_LETTER_PARTITION, "0")
          .containsEntry(Topics.DEAD_LETTER_OFFSET, "9")
          .containsEntry(Topics.DEAD_LETTER_ERROR_CLASS, "NonFiniteStep")
          .containsKey(Topics.DEAD_LETTER_ERROR_MESSAGE);
    }
  }

  @Test
  void anotherDomainTrainsOnWhileOneCannot() throws Exception {
    try (AdaptHarness adapt = AdaptHarness.start(MiniLm.settings(reckless(), MiniLm.STORE))) {
      adapt.receive("a", 0, 12);

      assertThatCode(() -> adapt.receive("b", 0, 4)).doesNotThrowAnyException();
      assertThat(adapt.steps("b")).hasSize(1);
    }
  }

  /** Only shares of a batch's sum count, and that is no float. */
  @Test
  void weightsAtTheEdgesOfFloatsTrainAsAnyOthers() throws Exception {
    List<String> states = new ArrayList<>();
    for (float weight : new float[] {1f, Float.MAX_VALUE, Float.MIN_VALUE}) {
      try (AdaptHarness adapt = AdaptHarness.start(MiniLm.settings())) {
        for (int offset = 0; offset < 8; offset++) {
          ReceivedExample example = Received.example("a", 0, offset, offset);
          example.getExample().setWeight(weight);
          adapt.receive(example);
        }
        assertThat(adapt.deadLetters()).isEmpty();
        states.addAll(states(adapt, "a"));
      }
    }
    assertThat(states).hasSize(6);
    assertThat(states.subList(2, 4)).isEqualTo(states.subList(0, 2));
    assertThat(states.subList(4, 6)).isEqualTo(states.subList(0, 2));
  }

  /** With this rate M leaves the range of float32 after the step that first moves it. */
  private static TrainingSettings reckless() {
    return new TrainingSettings(
        new Classification(),
        AdapterMethod.parse("svft:plain"),
        1e30,
        1e-2,
        0.9,
        0.999,
        1e-8,
        0,
        0,
        0,
        0,
        0,
        1,
        BatchLayout.SEGMENTS,
        Moments.FLOAT32,
        0,
        0);
  }

  private static List<String> states(AdaptHarness adapt, String domain) {
    return adapt.steps(domain).stream().map(TrainingStep::getStateSha256).toList();
  }
}
