package io.millrace.pipeline.chaos;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The table at the end, and the same as JSON. Times are seconds. */
final class ChaosReport {
  private static final String ROW = "%-34s %8s %9s %9s %9s %9s  %s%n";

  private final List<Map<String, Object>> rows = new ArrayList<>();

  /**
   * @param same whether every hash is that of the undisturbed run
   * @param causes why the job restarted, newest first
   */
  void add(Outcome outcome, boolean same, List<String> causes) {
    Map<String, Object> row = new LinkedHashMap<>();
    row.put("run", outcome.name());
    row.put("examples", outcome.examples());
    row.put("steps", outcome.chains().steps());
    row.put("versions", outcome.chains().versions());
    row.put("trainingSeconds", seconds(outcome.training()));
    row.put("longestPauseSeconds", seconds(outcome.longestPause()));
    row.put("untilNextCommittedStepSeconds", seconds(outcome.untilNextStep()));
    row.put("restarts", outcome.restarts());
    row.put("sameHashes", same);
    row.put("causes", causes);
    rows.add(row);
  }

  private static Double seconds(Duration duration) {
    return duration == null ? null : Math.round(duration.toMillis() / 10.0) / 100.0;
  }

  /** Writes the JSON, and gives the table. */
  String write(Path json) throws IOException {
    Files.createDirectories(json.toAbsolutePath().getParent());
    new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT).writeValue(json.toFile(), rows);
    StringBuilder table = new StringBuilder();
    table.append(
        ROW.formatted("", "versions", "training", "longest", "until", "restarts", "every hash as"));
    table.append(
        ROW.formatted("", "", "s", "pause s", "next s", "of job", "in the undisturbed run"));
    for (Map<String, Object> row : rows) {
      Object next = row.get("untilNextCommittedStepSeconds");
      table.append(
          ROW.formatted(
              row.get("run"),
              row.get("versions"),
              row.get("trainingSeconds"),
              row.get("longestPauseSeconds"),
              next == null ? "-" : next,
              row.get("restarts"),
              row.get("sameHashes").equals(true) ? "yes" : "NO"));
    }
    return table.toString();
  }
}
