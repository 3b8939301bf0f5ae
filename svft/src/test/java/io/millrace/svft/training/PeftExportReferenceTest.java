package io.millrace.svft.training;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.svft.export.PeftDirectory;
import io.millrace.svft.tensor.Safetensors;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Exports the last values of Hugging Face PEFT's own runs in PEFT's format, and compares with what
 * PEFT merged from them. {@code -Dreference.dir} names other directories, as for {@link
 * ReferenceTest}.
 */
@Tag("unit")
class PeftExportReferenceTest {
  @TempDir private Path root;

  static Stream<PeftRun> runs() throws Exception {
    return PeftRun.in(ReferenceTest.directory()).stream();
  }

  @ParameterizedTest
  @MethodSource("runs")
  void anExportHasPeftsNamesAndMergesToPeftsWeights(PeftRun run) throws Exception {
    PeftDirectory export = new PeftDirectory(run.exported(root));

    // PiSSA is exported as LoRA beside the whole weight: the names are the same.
    assertThat(export.names()).isEqualTo(run.fileNames());
    Safetensors base = run.base();
    Map<String, double[]> merged = export.merged(base);
    Map<String, float[]> expected = run.merged();
    assertThat(expected).isNotEmpty();
    expected.forEach(
        (name, values) -> {
          // What PEFT did not adapt must not be adapted here.
          double[] actual = merged.getOrDefault(name, wide(base.floats(name)));
          assertThat(difference(actual, values)).as(name).isLessThan(1e-4);
        });
  }

  private static double[] wide(float[] values) {
    return IntStream.range(0, values.length).mapToDouble(i -> values[i]).toArray();
  }

  private static double difference(double[] actual, float[] expected) {
    assertThat(actual).hasSize(expected.length);
    double difference = 0;
    double norm = 0;
    for (int i = 0; i < expected.length; i++) {
      difference += Math.pow(actual[i] - expected[i], 2);
      norm += Math.pow(expected[i], 2);
    }
    return Math.sqrt(difference / norm);
  }
}
