package io.millrace.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.millrace.testing.MetricsPage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Rules and dashboard use metrics that there are, and each alert is explained and tested. */
@Tag("unit")
class MonitoringTest {
  private static final Path HOME = Path.of(System.getProperty("millrace.home"));
  private static final Path PAGE = HOME.resolve("docs/metrics.md");
  private static final Path RULES = HOME.resolve("deploy/prometheus/rules.yml");
  private static final Path TESTS = HOME.resolve("deploy/prometheus/rules-test.yml");
  private static final Path DASHBOARD = HOME.resolve("deploy/grafana/dashboards/millrace.json");

  private static final Pattern METRIC =
      Pattern.compile("\\b(?:millrace|flink|jvm|process)[_:][\\w:]+");
  private static final Pattern RECORD = Pattern.compile("- record: (\\S+)");
  private static final Pattern ALERT = Pattern.compile("- alert: (\\S+)");

  @Test
  void rulesUseTheMetricsOfThePage() throws Exception {
    String rules = Files.readString(RULES);

    assertThat(known()).containsAll(used(rules));
  }

  @Test
  void theDashboardUsesTheMetricsOfThePageAndOfTheRules() throws Exception {
    List<String> queries = new ArrayList<>();
    collect(new ObjectMapper().readTree(DASHBOARD.toFile()), queries);

    assertThat(queries).hasSizeGreaterThan(30);
    assertThat(known()).containsAll(used(String.join("\n", queries)));
  }

  @Test
  void everyRecordedSeriesIsUsed() throws Exception {
    String all = Files.readString(RULES) + Files.readString(DASHBOARD);
    for (String recorded : found(RECORD, Files.readString(RULES))) {
      assertThat(all.split(Pattern.quote(recorded), -1)).as(recorded).hasSizeGreaterThan(2);
    }
  }

  @Test
  void everyAlertHasASectionAndATestInWhichItFires() throws Exception {
    String rules = Files.readString(RULES);
    Set<String> alerts = found(ALERT, rules);
    String page = Files.readString(PAGE);
    String tests = Files.readString(TESTS);

    assertThat(alerts).hasSizeGreaterThan(15);
    for (String alert : alerts) {
      assertThat(page).contains("\n### " + alert + "\n");
      assertThat(rules)
          .contains("runbook_url: docs/metrics.md#" + alert.toLowerCase(Locale.ROOT) + "\n");
      assertThat(tests)
          .containsPattern(
              "alertname=\"" + alert + "\", alertstate=\"firing\"}\\)\\n.*\\n +exp_samples: \\[\\{")
          .containsPattern(
              "alertname=\"" + alert + "\", alertstate=\"firing\"}\\)\\n.*\\n +exp_samples: \\[]");
    }
    assertThat(found(Pattern.compile("### (Millrace\\w+)"), page)).isEqualTo(alerts);
  }

  private static Set<String> known() throws IOException {
    Set<String> known = new TreeSet<>(MetricsPage.names(PAGE));
    known.addAll(found(RECORD, Files.readString(RULES)));
    return known;
  }

  /** The metrics in text, each without what the type adds to its name. */
  private static Set<String> used(String text) throws IOException {
    Set<String> known = known();
    Matcher metric = METRIC.matcher(text.replaceAll("docs/metrics\\.md\\S*|- name: .*", ""));
    return metric
        .results()
        .map(found -> found.group())
        .map(name -> known.contains(name) ? name : name.replaceFirst("_(bucket|sum|count)$", ""))
        .collect(Collectors.toCollection(TreeSet::new));
  }

  private static Set<String> found(Pattern pattern, String text) {
    return pattern
        .matcher(text)
        .results()
        .map(found -> found.group(1))
        .collect(Collectors.toCollection(TreeSet::new));
  }

  private static void collect(JsonNode node, List<String> queries) {
    if (node.isObject()) {
      for (String field : List.of("expr", "definition")) {
        if (node.path(field).isTextual()) {
          queries.add(node.get(field).asText());
        }
      }
    }
    node.forEach(child -> collect(child, queries));
  }
}
