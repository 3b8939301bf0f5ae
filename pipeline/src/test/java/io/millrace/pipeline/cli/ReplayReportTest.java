package io.millrace.pipeline.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.millrace.pipeline.replay.Difference;
import io.millrace.pipeline.replay.MissingExamples;
import io.millrace.pipeline.replay.ReplayResult;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** What {@code replay --report} writes. */
@Tag("unit")
class ReplayReportTest {
  @TempDir Path directory;

  @Test
  void aReplayThatIsTheSameIsWritten() throws Exception {
    JsonNode written = write(result(List.of(), new TreeMap<>()));

    assertThat(written.path("version").asLong()).isEqualTo(7);
    assertThat(written.path("examplesPerSecond").asDouble()).isEqualTo(151.5);
    assertThat(written.path("differences")).isEmpty();
    assertThat(written.path("missing").path("offsets")).isEmpty();
  }

  @Test
  void whatDiffersAndWhatIsMissingAreWritten() throws Exception {
    Difference difference =
        new Difference(
            "reviews", 5, 3, "the state differs", "3f6c", "b01d", List.of("environment"));

    JsonNode written =
        write(result(List.of(difference), new TreeMap<>(Map.of(2, new TreeSet<>(List.of(64L))))));

    assertThat(written.at("/differences/0/what").asText()).isEqualTo("the state differs");
    assertThat(written.at("/missing/offsets/2/0").asLong()).isEqualTo(64);
  }

  private static ReplayResult result(
      List<Difference> differences, TreeMap<Integer, TreeSet<Long>> missing) {
    return new ReplayResult(
        "reviews",
        0,
        7,
        "3f6c",
        7,
        70,
        1_120,
        151.5,
        differences,
        new MissingExamples("labeled-examples", missing));
  }

  private JsonNode write(ReplayResult result) throws Exception {
    Path file = directory.resolve("report.json");
    ReportOption option = new ReportOption();
    CommandLine.Model.CommandSpec command = CommandLine.Model.CommandSpec.create();
    command.addMixin("report", CommandLine.Model.CommandSpec.forAnnotatedObject(option));
    new CommandLine(command).parseArgs("--report", file.toString());
    option.write(List.of(result));
    return new ObjectMapper().readTree(file.toFile()).path(0);
  }
}
