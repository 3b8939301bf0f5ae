package io.millrace.svft.training;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.task.Classification;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class TrainingStateTest {
  private static final AdapterMethod SVFT = AdapterMethod.parse("svft:plain");
  private static final float[] NONE = {};

  @Test
  void aNewStateHasMomentsOfZeroAndKnowsNoLabel() {
    int[] positions = {0, 3};
    TrainingState state = TrainingState.initial(SVFT, positions, NONE, new float[] {1, 2});

    assertThat(state.positions()).containsExactly(0, 3);
    assertThat(state.adapter().values()).containsExactly(1, 2);
    assertThat(state.adapter().firstMoment()).containsExactly(0, 0);
    assertThat(state.adapter().secondMoment()).containsExactly(0, 0);
    assertThat(state.labels()).isEmpty();
    assertThat(state.head().values()).isEmpty();
    assertThat(state.steps()).isZero();
    assertThat(state.examples()).isZero();
  }

  @Test
  void newLabelsGetZeroRowsAtTheEndAndNothingElseChanges() {
    TrainingState before = state(2, List.of("x", "y"), new float[] {1, 2, 3, 4, 5, 6}, 9);

    TrainingState after = before.withLabels(new Classification(), List.of("z", "y", "w", "z"), 2);

    assertThat(after.labels()).containsExactly("x", "y", "z", "w");
    assertThat(after.labelBornAtStep()).containsExactly(0, 0, 9, 9);
    assertThat(after.head().values()).containsExactly(1, 2, 3, 4, 5, 6, 0, 0, 0, 0, 0, 0);
    assertThat(after.head().firstMoment()).containsExactly(1, 2, 3, 4, 5, 6, 0, 0, 0, 0, 0, 0);
    assertThat(after.head().secondMoment()).containsExactly(1, 2, 3, 4, 5, 6, 0, 0, 0, 0, 0, 0);
    assertThat(after.adapter().values()).isSameAs(before.adapter().values());
    assertThat(after.steps()).isEqualTo(before.steps());
    assertThat(after.examples()).isEqualTo(before.examples());
  }

  @Test
  void knownLabelsLeaveTheStateAsItIs() {
    TrainingState before = state(2, List.of("x", "y"), new float[6], 9);

    assertThat(before.withLabels(new Classification(), List.of("y", "x", "y"), 2)).isSameAs(before);
  }

  @Test
  void equalStatesHaveEqualHashes() {
    assertThat(state(1, List.of("x"), new float[] {1, 2, 3}, 4).sha256())
        .isEqualTo(state(1, List.of("x"), new float[] {1, 2, 3}, 4).sha256());
  }

  @Test
  void everyFieldReachesTheHash() {
    List<TrainingState> states = new ArrayList<>();
    states.add(state(1, List.of("x", "y"), new float[] {1, 2, 3}, 4));
    states.add(state(1, List.of("xy"), new float[] {1, 2, 3}, 4));
    states.add(state(1, List.of("x", "z"), new float[] {1, 2, 3}, 4));
    states.add(state(1, List.of("x", "y"), new float[] {1, 2, 3}, 5));
    states.add(state(2, List.of("x", "y"), new float[] {1, 2, 3}, 4));
    for (int array = 0; array <= 9; array++) {
      float[][] arrays = new float[10][3];
      arrays[array][1] = -0f;
      states.add(
          new TrainingState(
              SVFT,
              List.of(),
              new long[0],
              new int[3],
              arrays[6],
              new Parameters(arrays[0], arrays[1], arrays[2]),
              new Parameters(arrays[3], arrays[4], arrays[5]),
              new ClassMeans(1, arrays[8], arrays[9]),
              0,
              0));
    }
    for (String method : List.of("svft:plain", "svft:banded:1", "svft:plain;rank=2", "lora:8")) {
      states.add(TrainingState.initial(AdapterMethod.parse(method), new int[0], NONE, NONE));
    }
    states.add(TrainingState.initial(SVFT, new int[] {1}, NONE, NONE));
    states.add(TrainingState.initial(SVFT, new int[] {2}, NONE, NONE));
    states.add(TrainingState.initial(SVFT, new int[0], new float[1], NONE));
    states.add(TrainingState.initial(SVFT, new int[0], NONE, new float[1]));

    assertThat(new HashSet<>(states.stream().map(TrainingState::sha256).toList()))
        .hasSameSizeAs(states);
  }

  private static TrainingState state(int m, List<String> labels, float[] head, long steps) {
    return new TrainingState(
        SVFT,
        labels,
        new long[labels.size()],
        new int[0],
        NONE,
        Parameters.initial(new float[] {m}),
        new Parameters(head, head.clone(), head.clone()),
        ClassMeans.NONE,
        steps,
        3);
  }
}
