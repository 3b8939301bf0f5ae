package io.millrace.svft;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(Models.class)
class MemoryTest {
  private static final TrainingSettings SETTINGS =
      TrainingSettings.defaults(TrainingSettings.Method.SVFT);

  @Test
  void step150HoldsNoMoreArraysThanStep50(@Models.Tiny BaseModel base) {
    Trainer trainer = new Trainer(base, SETTINGS);
    TrainingState state = steps(trainer, trainer.initialState(), 50);
    int arrays = arrays(base);

    steps(trainer, state, 100);

    assertThat(arrays(base)).isEqualTo(arrays);
  }

  @Test
  void aStepThatFailsLeavesNoArrayBehind(@Models.Tiny BaseModel base) {
    Trainer trainer = new Trainer(base, SETTINGS);
    TrainingState broken = steps(trainer, trainer.initialState(), 1);
    java.util.Arrays.fill(broken.values(), 1e30f);
    int arrays = arrays(base);

    for (int i = 0; i < 10; i++) {
      try {
        steps(trainer, broken, 1);
      } catch (NonFiniteStepException expected) {
        continue;
      }
      throw new AssertionError("the step did not fail");
    }

    assertThat(arrays(base)).isEqualTo(arrays);
  }

  @Test
  void aClosedClassifierLeavesNoArrayBehind(@Models.Tiny BaseModel base) {
    Trainer trainer = new Trainer(base, SETTINGS);
    Adapter adapter = Adapter.of(base, steps(trainer, trainer.initialState(), 1), "reviews", 1, "");
    int arrays = arrays(base);

    for (int i = 0; i < 20; i++) {
      try (Classifier classifier = new Classifier(base, adapter)) {
        classifier.logits(Sentences.ALL.subList(0, 3));
      }
    }

    assertThat(arrays(base)).isEqualTo(arrays);
  }

  /** In a process of its own, whose heap is there from the start: what grows is native memory. */
  @Test
  void theProcessDoesNotGrowWithItsSteps() throws Exception {
    List<String> fixedHeap =
        List.of("-Xms512m", "-Xmx512m", "-XX:+AlwaysPreTouch", "-XX:MaxDirectMemorySize=128m");
    try (ChildJvm child = ChildJvm.start(fixedHeap, MemoryTest.class)) {
      List<String> residentMiB = child.output();

      assertThat(Long.parseLong(residentMiB.get(1)))
          .isLessThan(Long.parseLong(residentMiB.get(0)) + 32);
    }
  }

  /** Prints the resident set after warm-up and after 300 steps more, in MiB. */
  public static void main(String[] args) throws IOException {
    Torch.setThreads(1);
    try (BaseModel base = BaseModel.load(Models.miniLm(), Torch.device("cpu"))) {
      Trainer trainer = new Trainer(base, SETTINGS);
      TrainingState state = steps(trainer, trainer.initialState(), 100);
      System.out.println(residentMiB());
      steps(trainer, state, 300);
      System.out.println(residentMiB());
    }
  }

  private static TrainingState steps(Trainer trainer, TrainingState state, int steps) {
    for (int i = 0; i < steps; i++) {
      int size = 1 + i % 4;
      state = trainer.step(state, Sentences.batch(50 + i % 40, size)).state();
    }
    return state;
  }

  private static int arrays(BaseModel base) {
    return base.manager().getManagedArrays().size();
  }

  private static long residentMiB() throws IOException {
    System.gc();
    return Files.readAllLines(Path.of("/proc/self/status")).stream()
        .filter(line -> line.startsWith("VmRSS:"))
        .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) / 1024)
        .findFirst()
        .orElseThrow();
  }
}
