package io.millrace.operators.adapt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.operators.MiniLm;
import io.millrace.operators.model.SharedModel;
import io.millrace.schemas.TrainingStep;
import java.lang.reflect.Proxy;
import java.util.List;
import java.util.Optional;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.api.common.state.ValueState;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What fails beside training fails nothing else, and leaves no model behind. */
@Tag("unit")
class FrozenComparisonTest {
  private static final AdaptSettings SETTINGS = MiniLm.settings().withFrozenShare(1);

  /** A task whose state cannot be had: each access ends with {@code failure}. */
  private static RuntimeContext task(boolean opens, Throwable failure) {
    ValueState<?> state = proxy(ValueState.class, failure, null);
    return proxy(RuntimeContext.class, failure, opens ? state : null);
  }

  private static <T> T proxy(Class<T> type, Throwable failure, ValueState<?> state) {
    return type.cast(
        Proxy.newProxyInstance(
            type.getClassLoader(),
            new Class<?>[] {type},
            (self, method, arguments) -> {
              if (state != null && method.getName().equals("getState")) {
                return state;
              }
              throw failure;
            }));
  }

  @Test
  void aStepForWhichThereIsNoMemoryIsNotCompared() throws Exception {
    RuntimeContext task = task(true, new OutOfMemoryError("none left"));
    try (FrozenComparison frozen =
        FrozenComparison.open(SETTINGS, task, System::nanoTime).orElseThrow()) {
      TrainingStep step = new TrainingStep();
      step.setStep(1);

      assertThat(frozen.compare("films", List.of(), step)).isEmpty();
    }
  }

  @Test
  void withoutRoomForItsModelNothingIsCompared() throws Exception {
    AdaptSettings none =
        new AdaptSettings(
            SETTINGS.domains(),
            SETTINGS.modelStore(),
            "none",
            SETTINGS.device(),
            1,
            "",
            SETTINGS.limits(),
            SETTINGS.groups(),
            1);

    Optional<FrozenComparison> frozen =
        FrozenComparison.open(
            none, task(true, new IllegalStateException("not asked")), System::nanoTime);

    assertThat(frozen).isEmpty();
  }

  @Test
  void aSavepointThatCannotBeReadLeavesNoModelLoaded() {
    int loaded = SharedModel.loaded();
    RuntimeContext task = task(false, new IllegalStateException("another schema"));

    assertThatThrownBy(() -> FrozenComparison.open(SETTINGS, task, System::nanoTime))
        .hasMessage("another schema");
    assertThat(SharedModel.loaded()).isEqualTo(loaded);
  }
}
