package io.millrace.pipeline.demo;

import io.millrace.pipeline.report.DomainRecord;
import io.millrace.pipeline.report.RunRecord;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * What the demo shows at its end.
 *
 * @param rows accuracies of both models over parts of the stream
 * @param versionsPublished on the topic
 * @param versionsLive of these, made live by the serving process
 * @param versionsAnswering of these, seen in at least one answer
 * @param lastSha256 of the last version
 * @param deadLetters by error class
 * @param labelToLiveMillis sorted: from an example's append in Kafka to the first answer by a
 *     version trained on it
 * @param predictions answered
 * @param failedPredictions refused or lost
 * @param trainableParameters values of M
 * @param peakRssMiB largest resident memory of all processes, summed
 */
public record DemoResult(
    List<Row> rows,
    long versionsPublished,
    long versionsLive,
    long versionsAnswering,
    String lastSha256,
    Map<String, Long> deadLetters,
    List<Long> labelToLiveMillis,
    long predictions,
    long failedPredictions,
    long trainableParameters,
    long peakRssMiB) {

  /** Accuracy before training on it, over a part of the stream. */
  public record Row(String part, double frozen, double adapted) {}

  static DemoResult of(
      int definitions,
      RunRecord record,
      DemoSteps steps,
      List<Boolean> frozen,
      LiveFeed feed,
      PredictionLoad load,
      long versionsLive,
      long peakRssMiB) {
    DomainRecord domain = record.domains().get(WordNet.DOMAIN);
    List<Boolean> adapted = steps.correct();
    int all = adapted.size();
    int usages = all - definitions;
    List<Row> rows =
        List.of(
            row("definitions (%,d)".formatted(definitions), frozen, adapted, 0, definitions),
            row("usage examples (%,d)".formatted(usages), frozen, adapted, definitions, all),
            row(
                "  the last %,d of them".formatted(usages / 2),
                frozen,
                adapted,
                all - usages / 2,
                all),
            row("the whole stream", frozen, adapted, 0, all));
    return new DemoResult(
        rows,
        domain.versions(),
        versionsLive,
        load.firstAnswerAt().size(),
        domain.lastSha256(),
        record.deadLetters(),
        labelToLive(steps.trainedThrough(), feed, load),
        load.answers(),
        load.failures(),
        steps.trainableParameters(),
        peakRssMiB);
  }

  private static Row row(
      String part, List<Boolean> frozen, List<Boolean> adapted, int from, int to) {
    return new Row(part, share(frozen.subList(from, to)), share(adapted.subList(from, to)));
  }

  private static double share(List<Boolean> correct) {
    return correct.isEmpty()
        ? 0
        : (double) correct.stream().filter(each -> each).count() / correct.size();
  }

  private static List<Long> labelToLive(
      List<Long> trainedThrough, LiveFeed feed, PredictionLoad load) {
    List<Long> millis = new ArrayList<>();
    long from = 0;
    for (int i = 0; i < trainedThrough.size(); i++) {
      long through = trainedThrough.get(i);
      // A newer version has been trained on whatever this one has.
      var answer = load.firstAnswerAt().ceilingEntry(i + 1L);
      if (answer != null) {
        for (long appended : feed.appendedAt().subMap(from, true, through, true).values()) {
          millis.add(answer.getValue() - appended);
        }
      }
      from = through + 1;
    }
    millis.sort(null);
    return millis;
  }

  /** Whether every version that was published also served. */
  public boolean everyVersionServed() {
    return versionsLive == versionsPublished;
  }

  /** The closing table. */
  public List<String> lines() {
    List<String> lines = new ArrayList<>();
    String format = "%-28s %15s %15s %9s";
    lines.add("");
    lines.add("Accuracy on each example before training on it:");
    lines.add("");
    lines.add(format.formatted("", "frozen + head", "adapted (SVFT)", "gain"));
    for (Row row : rows) {
      lines.add(
          format.formatted(
              row.part(),
              "%.1f %%".formatted(100 * row.frozen()),
              "%.1f %%".formatted(100 * row.adapted()),
              "%+.1f".formatted(100 * (row.adapted() - row.frozen()))));
    }
    lines.add(
        format.formatted(
            "trained besides the head", "0", "%,d".formatted(trainableParameters), ""));
    lines.add("");
    lines.add(
        "Versions       %,d published, %,d went live in the serving process, %,d seen in answers; last %s"
            .formatted(
                versionsPublished, versionsLive, versionsAnswering, lastSha256.substring(0, 12)));
    lines.add(
        "Label to live  p50 %.1f s, p99 %.1f s, over %,d examples"
            .formatted(labelToLive(0.5), labelToLive(0.99), labelToLiveMillis.size()));
    lines.add("Predictions    %,d answered, %,d failed".formatted(predictions, failedPredictions));
    lines.add(
        "Dead letters   %s"
            .formatted(
                deadLetters.isEmpty()
                    ? "none"
                    : String.join(
                        ", ",
                        deadLetters.entrySet().stream()
                            .map(e -> e.getValue() + " " + e.getKey())
                            .toList())));
    lines.add("Peak memory    %,d MiB, all processes together".formatted(peakRssMiB));
    return lines;
  }

  /** A quantile of the time from label to live, in seconds. */
  public double labelToLive(double share) {
    return labelToLiveMillis.isEmpty()
        ? Double.NaN
        : labelToLiveMillis.get((int) Math.ceil(share * labelToLiveMillis.size()) - 1) / 1e3;
  }
}
