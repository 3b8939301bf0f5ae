package io.millrace.benchmarks.replay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.json.JsonMapper;
import io.millrace.pipeline.replay.MissingExamples;
import io.millrace.pipeline.replay.ReplayResult;
import io.millrace.pipeline.report.RunReport;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("unit")
class ReportedRateTest {
  @TempDir Path directory;
  private Path report;

  @BeforeEach
  void name() {
    report = directory.resolve("report.json");
  }

  @Test
  void trainingsRateStandsInItsReport() throws IOException {
    write(
        new RunReport(
            3_000,
            0,
            Map.of(),
            188,
            19,
            13_824,
            0.9,
            0.3,
            List.of(0.8, 0.9, 0.9),
            151.5,
            new RunReport.StepMillis(90, 120),
            40,
            900,
            Map.of()));

    assertThat(ReportedRate.ofTraining(report)).isEqualTo(new ReportedRate(3_000, 151.5));
  }

  @Test
  void domainsReplayedOneAfterTheOtherShareTheirTime() throws IOException {
    // 2 s and 6 s.
    write(List.of(replayed(200, 100), replayed(300, 50)));

    assertThat(ReportedRate.ofReplay(report)).isEqualTo(new ReportedRate(500, 500 / 8.0));
  }

  @Test
  void aDomainOfOneStepHasNoTime() throws IOException {
    write(List.of(replayed(200, 100), replayed(16, 0)));

    assertThat(ReportedRate.ofReplay(report)).isEqualTo(new ReportedRate(216, 100));
  }

  @Test
  void nothingButSingleStepsGivesNoRate() throws IOException {
    write(List.of(replayed(16, 0)));

    assertThatThrownBy(() -> ReportedRate.ofReplay(report).requireRate())
        .hasMessage("16 examples are too few for a rate: no domain has two steps");
  }

  @Test
  void whatIsNoReportIsNamed() throws IOException {
    Files.writeString(report, "{\"examples\": 3}");

    assertThatThrownBy(() -> ReportedRate.ofTraining(report))
        .hasMessage("the report " + report + " holds no number examplesPerSecond");
    assertThatThrownBy(() -> ReportedRate.ofReplay(report))
        .hasMessage(report + " holds no list of domains");
  }

  private static ReplayResult replayed(long examples, double perSecond) {
    return new ReplayResult(
        "one",
        0,
        1,
        "",
        1,
        2,
        examples,
        perSecond,
        List.of(),
        new MissingExamples("labeled-examples", new TreeMap<>()));
  }

  private void write(Object content) throws IOException {
    new JsonMapper().writeValue(report.toFile(), content);
  }
}
