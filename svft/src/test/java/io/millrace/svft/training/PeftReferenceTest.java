package io.millrace.svft.training;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Compares whole training runs with those of Hugging Face PEFT in float64. {@code -Dreference.dir}
 * names other directories, as for {@link ReferenceTest}.
 */
@Tag("unit")
class PeftReferenceTest {
  private static final double RELATIVE = 1e-4;

  /** In six steps AdamW divides small differences of a gradient by its size. */
  private static final double VALUES = 1e-3;

  static Stream<PeftRun> runs() throws Exception {
    Path root = ReferenceTest.directory();
    List<PeftRun> runs = PeftRun.in(root);
    assertThat(runs).as("runs in %s", root).isNotEmpty();
    return runs.stream();
  }

  @ParameterizedTest
  @MethodSource("runs")
  void aRunGivesWhatPeftGives(PeftRun run) throws IOException {
    PeftRun.Result result = run.result();

    double logits = 0;
    for (int step = 0; step < run.losses().length; step++) {
      double square = 0;
      double norm = 0;
      for (int i = 0; i < run.logits()[step].length; i++) {
        for (int label = 0; label < run.logits()[step][i].length; label++) {
          double expected = run.logits()[step][i][label];
          square += Math.pow(result.logits()[step][i][label] - expected, 2);
          norm += expected * expected;
        }
      }
      logits = Math.max(logits, Math.sqrt(square / norm));
      assertThat(Math.sqrt(square / norm)).as("logits of step %d", step).isLessThan(RELATIVE);
      assertThat(Math.abs(result.losses()[step] - run.losses()[step]))
          .as("loss of step %d", step)
          .isLessThan(RELATIVE);
    }
    assertThat(result.differences().keySet()).anyMatch(tensor -> tensor.contains(".merged."));
    result
        .differences()
        .forEach(
            (tensor, difference) ->
                assertThat(difference)
                    .as(tensor)
                    .isLessThan(tensor.contains(".end.") ? VALUES : RELATIVE));
    System.out.printf(
        "%s: largest differences: logits %.1e, gradients %.1e, values %.1e, merged %.1e%n",
        run,
        logits,
        largest(result.differences(), ".grad0."),
        largest(result.differences(), ".end."),
        largest(result.differences(), ".merged."));
  }

  /** A run whose settings are not understood is left out: none of these may be. */
  @Test
  void noRunOfThisRepositoryIsLeftOut() throws Exception {
    Path own = Path.of(PeftReferenceTest.class.getResource("/reference").toURI());

    assertThat(PeftRun.in(own))
        .extracting(run -> run.toString().replace("tiny-bert ", ""))
        .containsExactlyInAnyOrder(
            "lora", "rslora", "dora", "pissa", "vera", "boft", "oft", "hra", "ia3", "ln-tuning");
  }

  private static double largest(Map<String, Double> differences, String kind) {
    return differences.entrySet().stream()
        .filter(entry -> entry.getKey().contains(kind))
        .mapToDouble(Map.Entry::getValue)
        .max()
        .orElseThrow();
  }
}
