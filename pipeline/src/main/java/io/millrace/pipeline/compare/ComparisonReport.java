package io.millrace.pipeline.compare;

import java.math.BigDecimal;
import java.math.MathContext;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * A comparison in numbers; {@code --report} writes it as one JSON object with these names.
 *
 * @param input the file's name
 * @param inputSha256 of its content
 * @param examples examples in it
 * @param skipped lines in it that cannot be trained on
 * @param skippedByClass the same by error class
 * @param batchSize examples in a full batch
 * @param threads threads that shared a step's work
 * @param model the base model's name in the store
 * @param methods those that came to the end, in the order given
 * @param failed the others
 */
public record ComparisonReport(
    String input,
    String inputSha256,
    long examples,
    long skipped,
    Map<String, Long> skippedByClass,
    int batchSize,
    int threads,
    String model,
    List<MethodReport> methods,
    List<Failure> failed) {

  /** A method that failed, and the reason. */
  public record Failure(String method, String spec, String error) {}

  /** A longer name of a method is printed on a line of its own. */
  private static final int WIDEST_METHOD = 15;

  /** The closing tables, at most 100 columns wide, and notes on them. */
  public List<String> lines() {
    List<String> lines = new ArrayList<>();
    if (!methods.isEmpty()) {
      lines.add(
          format(
              "%,d examples in batches of %d, %d %s, base model %s.",
              examples, batchSize, threads, threads == 1 ? "thread" : "threads", model));
      lines.add(
          "Accuracy on each example before training on it, domains pooled (standard errors):");
      lines.add("");
      addQuality(lines);
      lines.add("");
      addCost(lines);
    }
    for (MethodReport each : methods) {
      if (each.deadLetters() > 0) {
        lines.add(
            format(
                "%s: %,d examples trained nothing: their batch's loss or gradient was not finite",
                each.method(), each.deadLetters()));
      }
    }
    failed.forEach(each -> lines.add(each.method() + " failed: " + each.error()));
    return lines;
  }

  private void addQuality(List<String> lines) {
    String columns = "  %15s  %13s  %13s  %13s  %9s";
    lines.add(
        cell("method")
            + format(columns, "accuracy", "1st third", "2nd third", "3rd third", "mean loss"));
    for (MethodReport each : methods) {
      addRow(
          lines,
          each.method(),
          format(
              columns,
              format("%.4f (%.4f)", each.prequentialAccuracy(), each.accuracyStandardError()),
              third(each, 0),
              third(each, 1),
              third(each, 2),
              format("%.4f", each.meanLoss())));
    }
  }

  private static String third(MethodReport method, int third) {
    return format(
        "%.3f (%.3f)", method.thirds().get(third), method.thirdsStandardError().get(third));
  }

  private void addCost(List<String> lines) {
    String columns = "  %10s  %11s  %9s  %10s  %7s  %7s  %8s  %7s";
    lines.add(
        cell("method")
            + format(
                columns,
                "trainables",
                "bytes",
                "rate",
                "examples/s",
                "p50 ms",
                "p99 ms",
                "peak MiB",
                "seconds"));
    for (MethodReport each : methods) {
      addRow(
          lines,
          each.method(),
          format(
              columns,
              format("%,d", each.trainableParameters()),
              format("%,d", each.adapterBytes()),
              rate(each.learningRate()),
              format("%,.1f", each.examplesPerSecond()),
              format("%,.1f", each.trainStepMillis().p50()),
              format("%,.1f", each.trainStepMillis().p99()),
              format("%,d", each.peakRssMiB()),
              format("%,.1f", each.wallSeconds())));
    }
  }

  private static String rate(Double rate) {
    return rate == null
        ? "head only"
        : BigDecimal.valueOf(rate).round(new MathContext(3)).stripTrailingZeros().toPlainString();
  }

  private int width() {
    int longest = methods.stream().mapToInt(each -> each.method().length()).max().orElse(0);
    return Math.min(Math.max(longest, "method".length()), WIDEST_METHOD);
  }

  private String cell(String text) {
    return format("%-" + width() + "s", text);
  }

  private void addRow(List<String> lines, String method, String numbers) {
    if (method.length() > width()) {
      lines.add(method);
      lines.add(cell("") + numbers);
    } else {
      lines.add(cell(method) + numbers);
    }
  }

  private static String format(String format, Object... arguments) {
    return String.format(Locale.ROOT, format, arguments);
  }
}
