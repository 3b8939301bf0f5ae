package io.millrace.testing;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The tables of docs/metrics.md, and what a process exposes, so that a test can hold the one
 * against the other.
 */
public final class MetricsPage {
  private static final Pattern ROW =
      Pattern.compile("\\| `([a-zA-Z_:][\\w:]*)` \\| (\\w+) \\|([^|]*)\\|.*");
  private static final Pattern TYPE = Pattern.compile("# TYPE (\\S+) (\\S+)");
  private static final Pattern SAMPLE = Pattern.compile("([\\w:]+)(?:\\{(.*)})? \\S+");
  private static final Pattern LABEL = Pattern.compile("(\\w+)=\"(?:[^\"\\\\]|\\\\.)*\",?");

  /**
   * A metric as Prometheus sees it.
   *
   * @param type counter, gauge, histogram, summary
   * @param labels the names of the labels, without those that the type brings
   */
  public record Metric(String name, String type, Set<String> labels) {
    @Override
    public String toString() {
      return name + labels + " " + type;
    }
  }

  private MetricsPage() {}

  /**
   * The rows of the table in one section of the page.
   *
   * @param section the text of its heading
   */
  public static Map<String, Metric> table(Path page, String section) throws IOException {
    Map<String, Metric> metrics = new TreeMap<>();
    boolean inside = false;
    for (String line : Files.readAllLines(page)) {
      if (line.startsWith("#")) {
        inside = line.replaceFirst("#+ ", "").equals(section);
      }
      Matcher row = ROW.matcher(line);
      if (inside && row.matches()) {
        Set<String> labels = new TreeSet<>();
        Arrays.stream(row.group(3).split("[`, ]+"))
            .filter(label -> !label.isEmpty())
            .forEach(labels::add);
        Metric metric = new Metric(row.group(1), row.group(2), labels);
        if (metrics.put(metric.name(), metric) != null) {
          throw new AssertionError(page + " names " + metric.name() + " twice in " + section);
        }
      }
    }
    if (metrics.isEmpty()) {
      throw new AssertionError(page + " has no metrics in a section " + section);
    }
    return metrics;
  }

  /** All metrics of the page. */
  public static Set<String> names(Path page) throws IOException {
    Set<String> names = new TreeSet<>();
    for (String line : Files.readAllLines(page)) {
      Matcher row = ROW.matcher(line);
      if (row.matches()) {
        names.add(row.group(1));
      }
    }
    return names;
  }

  /**
   * The metrics in Prometheus's text format.
   *
   * @param common labels that every metric of the process has, which are left out
   */
  public static Map<String, Metric> exposed(String text, Set<String> common) {
    Map<String, String> types = new LinkedHashMap<>();
    Map<String, Set<String>> labels = new TreeMap<>();
    for (String line : text.split("\n")) {
      Matcher type = TYPE.matcher(line);
      Matcher sample = SAMPLE.matcher(line);
      if (type.matches()) {
        types.put(type.group(1), type.group(2));
      } else if (sample.matches()) {
        Set<String> names =
            labels.computeIfAbsent(family(sample.group(1), types), name -> new TreeSet<>());
        if (sample.group(2) != null) {
          Matcher label = LABEL.matcher(sample.group(2));
          while (label.find()) {
            names.add(label.group(1));
          }
        }
      }
    }
    Map<String, Metric> metrics = new TreeMap<>();
    labels.forEach(
        (name, names) -> {
          String type = types.get(name);
          names.removeAll(common);
          if (type.equals("histogram") || type.equals("summary")) {
            names.removeAll(Set.of("le", "quantile"));
          }
          metrics.put(name, new Metric(name, type, names));
        });
    return metrics;
  }

  /** The metric that a sample belongs to. */
  private static String family(String sample, Map<String, String> types) {
    String stem = sample.replaceFirst("_(bucket|count|sum)$", "");
    return types.containsKey(sample) ? sample : stem;
  }

  /** What only one of the two has, a line each; empty where they are the same. */
  public static List<String> differences(Map<String, Metric> page, Map<String, Metric> exposed) {
    List<String> lines = new ArrayList<>();
    page.forEach(
        (name, metric) -> {
          if (!metric.equals(exposed.get(name))) {
            lines.add("the page has " + metric + ", exposed is " + exposed.get(name));
          }
        });
    exposed.forEach(
        (name, metric) -> {
          if (!page.containsKey(name)) {
            lines.add("exposed is " + metric + ", the page has nothing of it");
          }
        });
    return lines;
  }
}
