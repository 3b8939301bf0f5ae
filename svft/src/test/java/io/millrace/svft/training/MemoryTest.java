package io.millrace.svft.training;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.svft.ChildJvm;
import io.millrace.svft.Models;
import io.millrace.svft.Sentences;
import io.millrace.svft.adapter.Adapter;
import io.millrace.svft.adapter.Classifier;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.Architecture;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.model.Pooling;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@Tag("integration")
@ExtendWith(Models.class)
class MemoryTest {
  private static final List<String> METHODS =
      List.of("svft:plain", "svft:banded:1", "svft:gradient:1", "lora:2", "full", "head");
  private static final List<String> TEXTS = Sentences.ALL.subList(70, 73);

  /** The smallest possible encoder: a leak of a step does not depend on its size. */
  private static final EncoderConfig SMALLEST =
      new EncoderConfig(Architecture.BERT, Pooling.MEAN, 1, 4, 2, 5, 30522, 64, 0, 2, 1e-12f);

  /**
   * Runs in a process of its own whose heap is allocated from the start, so that only native memory
   * can grow, and without the optimizing compiler, whose memory grows by some 20 MiB once, at a
   * time that depends on the load of the machine. This also covers memory that no Java object
   * counts: lists of arrays that the calls of the script create.
   */
  @Test
  void tenThousandStepsLeaveAsManyArraysAsAHundredAndTheProcessDoesNotGrow() throws Exception {
    List<String> fixedMemory =
        List.of(
            "-Xms256m",
            "-Xmx256m",
            "-XX:+AlwaysPreTouch",
            "-XX:MaxDirectMemorySize=64m",
            "-XX:TieredStopAtLevel=1");
    try (ChildJvm child = ChildJvm.start(fixedMemory, MemoryTest.class)) {
      List<String> lines = child.output();

      assertThat(lines).hasSize(METHODS.size() + 1);
      for (String line : lines) {
        String[] fields = line.split(" ");
        int arraysEarly = Integer.parseInt(fields[1]);
        int arraysLate = Integer.parseInt(fields[2]);
        assertThat(arraysLate).as(line).isEqualTo(arraysEarly);
        long grownKiB = Long.parseLong(fields[3]);
        assertThat(grownKiB).as(line).isLessThan(6 * 1024);
      }
    }
  }

  /**
   * Prints for each method the number of arrays after 100 and after 10,000 steps, and the growth in
   * KiB over the second half.
   */
  public static void main(String[] args) throws IOException {
    for (String text : METHODS) {
      run(text);
    }
    classifiers();
  }

  private static void run(String text) throws IOException {
    AdapterMethod method = AdapterMethod.parse(text);
    try (BaseModel base = Models.tiny(SMALLEST, method);
        Trainer trainer = new Trainer(base, TrainingSettings.defaults(method), 1)) {
      TrainingState state = steps(trainer, trainer.initialState(), 100);
      int early = arrays(base);
      state = steps(trainer, state, 4_900);
      long resident = residentKiB();
      steps(trainer, state, 5_000);
      System.out.printf("%s %d %d %d%n", text, early, arrays(base), residentKiB() - resident);
    }
  }

  private static void classifiers() throws IOException {
    AdapterMethod method = AdapterMethod.parse("svft:random:1");
    try (BaseModel base = Models.tiny(SMALLEST, method);
        Trainer trainer = new Trainer(base, TrainingSettings.defaults(method), 1)) {
      TrainingState state = steps(trainer, trainer.initialState(), 1);
      Adapter adapter = state.toAdapter(base, "reviews", 1, "");
      classify(base, adapter, 100);
      int early = arrays(base);
      classify(base, adapter, 1_000);
      long resident = residentKiB();
      classify(base, adapter, 1_000);
      System.out.printf("classifier %d %d %d%n", early, arrays(base), residentKiB() - resident);
    }
  }

  private static void classify(BaseModel base, Adapter adapter, int times) {
    for (int i = 0; i < times; i++) {
      try (Classifier classifier = new Classifier(base, adapter)) {
        classifier.logits(TEXTS);
      }
    }
  }

  @Test
  void aStepThatFailsLeavesNoArrayBehind(@Models.Tiny BaseModel base) {
    TrainingSettings settings = TrainingSettings.defaults(AdapterMethod.parse("svft:banded:1"));
    try (Trainer trainer = new Trainer(base, settings, 2)) {
      TrainingState broken = steps(trainer, trainer.initialState(), 3);
      Arrays.fill(broken.adapter().values(), 1e30f);
      int arrays = arrays(base);

      for (int i = 0; i < 10; i++) {
        try {
          trainer.step(broken, Sentences.batch(50, 4));
        } catch (NonFiniteStepException expected) {
          continue;
        }
        throw new AssertionError("the step did not fail");
      }

      assertThat(arrays(base)).isEqualTo(arrays);
    }
  }

  @Test
  void anOpenClassifierHoldsItsAdaptersArraysUntilItIsClosed(@Models.Tiny BaseModel base) {
    TrainingSettings settings = TrainingSettings.defaults(AdapterMethod.parse("svft:plain"));
    try (Trainer trainer = new Trainer(base, settings, 1)) {
      TrainingState state = steps(trainer, trainer.initialState(), 1);
      Adapter adapter = state.toAdapter(base, "reviews", 1, "");
      int before = arrays(base);

      List<Integer> open = new ArrayList<>();
      try (Classifier classifier = new Classifier(base, adapter)) {
        for (int i = 0; i < 20; i++) {
          classifier.logits(TEXTS);
          open.add(arrays(base));
        }
      }

      // The diagonals of twelve weights, and the head.
      assertThat(open).containsOnly(before + 12 + 2);
      assertThat(arrays(base)).isEqualTo(before);
    }
  }

  private static TrainingState steps(Trainer trainer, TrainingState state, int steps) {
    for (int i = 0; i < steps; i++) {
      state = trainer.step(state, Sentences.batch(i % 8, 1)).state();
    }
    return state;
  }

  private static int arrays(BaseModel base) {
    return base.manager().getManagedArrays().size();
  }

  private static long residentKiB() throws IOException {
    System.gc();
    return Files.readAllLines(Path.of("/proc/self/status")).stream()
        .filter(line -> line.startsWith("VmRSS:"))
        .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
        .findFirst()
        .orElseThrow();
  }
}
