package io.millrace.operators.gate;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.operators.gate.EndOfTraining.TasksThatHave;
import java.util.BitSet;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class EndOfTrainingTest {
  private final TasksThatHave count = new TasksThatHave();
  private BitSet[] tasks = count.createAccumulator();

  @Test
  void itIsReachedOnceEachTaskHasSaidSo() {
    assertThat(ask()).isFalse();
    say(1, 3);
    say(0, 3);
    say(1, 3);
    assertThat(ask()).isFalse();
    say(2, 3);

    assertThat(ask()).isTrue();
  }

  @Test
  void theTasksOfAnotherParallelismDoNotCount() {
    say(0, 2);
    say(1, 2);
    say(1, 3);
    assertThat(ask()).isFalse();
    say(0, 3);
    say(2, 3);

    assertThat(ask()).isTrue();
  }

  private void say(int task, int of) {
    tasks = count.add(new int[] {task, of}, tasks);
  }

  private boolean ask() {
    tasks = count.add(new int[0], tasks);
    return count.getResult(tasks);
  }
}
