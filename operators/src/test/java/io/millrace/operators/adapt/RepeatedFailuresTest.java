package io.millrace.operators.adapt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.millrace.operators.MiniLm;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.training.TrainingSettings;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Steps that fail in the same way whenever they are tried. */
@Tag("unit")
class RepeatedFailuresTest {
  @Test
  void theThirdEqualFailureOnTheSameBatchEndsTheJob() throws Exception {
    try (AdaptHarness adapt = AdaptHarness.start(MiniLm.settings())) {
      adapt.receive("a", 0, 4);
      adapt.change("a", state -> state.setValues(ByteBuffer.allocate(8)));

      for (int attempt = 1; attempt < RepeatedFailures.TRIES; attempt++) {
        assertThat(catchThrowable(() -> adapt.receive("a", 4, 8)))
            .isInstanceOf(RuntimeException.class)
            .isNotInstanceOf(PermanentFailureException.class);
      }
      assertThatThrownBy(() -> adapt.receive("a", 4, 8))
          .isInstanceOf(PermanentFailureException.class)
          .hasMessageStartingWith(
              "step 2 of domain a failed 3 times in the same way, on the batch that begins at"
                  + " labeled-examples-0 offset 4: ");
    }
  }

  @Test
  void failuresOnOtherInputDoNotAddUp() throws Exception {
    try (AdaptHarness adapt = AdaptHarness.start(MiniLm.settings())) {
      adapt.receive("a", 0, 4);
      adapt.change("a", state -> state.setValues(ByteBuffer.allocate(8)));

      for (int batch = 1; batch < 6; batch++) {
        int from = 4 * batch;
        assertThat(catchThrowable(() -> adapt.receive("a", from, from + 4)))
            .isInstanceOf(RuntimeException.class)
            .isNotInstanceOf(PermanentFailureException.class);
      }
    }
  }

  @Test
  void aStateOfAnotherMethodIsNotTriedAgain() throws Exception {
    TrainingSettings head = TrainingSettings.defaults(AdapterMethod.parse("head"));
    try (AdaptHarness before = AdaptHarness.start(MiniLm.settings())) {
      before.receive("a", 0, 4);
      try (AdaptHarness adapt =
          AdaptHarness.restore(MiniLm.settings(head, MiniLm.STORE), before.snapshot())) {
        assertThatThrownBy(() -> adapt.receive("a", 4, 8))
            .isInstanceOf(PermanentFailureException.class);
      }
    }
  }
}
