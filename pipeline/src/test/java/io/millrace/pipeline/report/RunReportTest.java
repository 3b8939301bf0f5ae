package io.millrace.pipeline.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class RunReportTest {
  @Test
  void ofManyDomainsTheFirstAreShownAndTheRestCounted() {
    List<String> lines = report(1_020).lines();

    assertThat(lines).filteredOn(line -> line.contains("sha256")).hasSize(20);
    assertThat(lines)
        .contains(
            "d19: version 1, sha256 0a", "and 1,000 more domains: --report FILE lists them all");
  }

  @Test
  void ofFewDomainsEachIsShown() {
    List<String> lines = report(20).lines();

    assertThat(lines).filteredOn(line -> line.contains("sha256")).hasSize(20);
    assertThat(lines).noneMatch(line -> line.contains("more domains"));
  }

  private static RunReport report(int domains) {
    Map<String, RunReport.Domain> byName = new LinkedHashMap<>();
    for (int i = 0; i < domains; i++) {
      byName.put("d" + i, new RunReport.Domain(4, 1, 1, 1, "0a", 0.5));
    }
    return new RunReport(
        4L * domains,
        0,
        Map.of(),
        domains,
        domains,
        13_824,
        0.5,
        1,
        List.of(0.5, 0.5, 0.5),
        100,
        new RunReport.StepMillis(20, 30),
        10,
        900,
        byName);
  }
}
