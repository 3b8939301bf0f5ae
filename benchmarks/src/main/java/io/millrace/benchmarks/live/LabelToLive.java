package io.millrace.benchmarks.live;

import io.millrace.benchmarks.report.MarkdownTable;
import io.millrace.benchmarks.report.Quantiles;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.OffsetRun;
import io.millrace.schemas.TrainingStep;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import java.util.function.ToDoubleFunction;

/**
 * How long it takes from an example's append in Kafka to the first answer by a version that was
 * trained on it, and where the time goes. All times are milliseconds since the epoch, by the clock
 * of one machine.
 */
final class LabelToLive {
  /**
   * One example on its way.
   *
   * @param appended in Kafka
   * @param stepBegan the training step that takes it
   * @param stepFinished the same step's end
   * @param created the first version trained on it
   * @param committed when a reader of committed records got that version
   * @param live when it, or a newer one, was made to serve
   * @param answered the first answer by it, or by a newer one
   */
  record Example(
      long appended,
      double stepBegan,
      long stepFinished,
      long created,
      long committed,
      long live,
      long answered) {
    double total() {
      return answered - appended;
    }
  }

  private static final Map<String, ToDoubleFunction<Example>> PARTS = parts();

  private final List<Example> examples;
  private final int versions;

  private LabelToLive(List<Example> examples, int versions) {
    this.examples = examples;
    this.versions = versions;
  }

  private static Map<String, ToDoubleFunction<Example>> parts() {
    Map<String, ToDoubleFunction<Example>> parts = new LinkedHashMap<>();
    parts.put("until its step: read, batch fills", each -> each.stepBegan() - each.appended());
    parts.put("training step", each -> each.stepFinished() - each.stepBegan());
    parts.put("until a version is made of it", each -> each.created() - each.stepFinished());
    parts.put("checkpoint and commit", each -> each.committed() - each.created());
    parts.put("load, merge and swap", each -> each.live() - each.committed());
    parts.put("until a request comes, and its answer", each -> each.answered() - each.live());
    parts.put("label to live", Example::total);
    return parts;
  }

  /**
   * Puts the records of a run together.
   *
   * @param appendedAt of the examples to count, by their offsets
   * @param steps of their one domain, in order
   * @param published its versions by number
   * @param committedAt when each was read, committed, by its number
   * @param liveAt when each was made to serve; those that never were are missing
   * @param firstAnswerAt by each; those that never answered are missing
   * @throws IllegalStateException where an example has not made it to an answer
   */
  static LabelToLive of(
      NavigableMap<Long, Long> appendedAt,
      List<TrainingStep> steps,
      NavigableMap<Long, AdapterVersion> published,
      Map<Long, Long> committedAt,
      NavigableMap<Long, Long> liveAt,
      NavigableMap<Long, Long> firstAnswerAt) {
    NavigableMap<Long, TrainingStep> stepAt = new TreeMap<>();
    for (TrainingStep step : steps) {
      for (OffsetRun run : step.getBatch()) {
        stepAt.put(run.getFirstOffset(), step);
      }
    }
    NavigableMap<Long, Long> versionThrough = new TreeMap<>();
    published.forEach(
        (number, version) ->
            versionThrough.put(version.getTrainedThrough().get(0).getOffset(), number));
    List<Example> examples = new ArrayList<>();
    appendedAt.forEach(
        (offset, appended) -> {
          var step = stepAt.floorEntry(offset);
          var version = versionThrough.ceilingEntry(offset);
          var live = version == null ? null : liveAt.ceilingEntry(version.getValue());
          var answer = version == null ? null : firstAnswerAt.ceilingEntry(version.getValue());
          if (step == null || live == null || answer == null) {
            throw new IllegalStateException(
                "no version that was trained on the example at offset %d has answered"
                    .formatted(offset));
          }
          long finished = step.getValue().getFinishedAt().toEpochMilli();
          examples.add(
              new Example(
                  appended,
                  finished - step.getValue().getStepMillis(),
                  finished,
                  published.get(version.getValue()).getCreatedAt().toEpochMilli(),
                  committedAt.get(version.getValue()),
                  live.getValue(),
                  answer.getValue()));
        });
    return new LabelToLive(
        examples,
        examples.isEmpty()
            ? 0
            : published
                .subMap(
                    versionThrough.ceilingEntry(appendedAt.firstKey()).getValue(),
                    true,
                    versionThrough.ceilingEntry(appendedAt.lastKey()).getValue(),
                    true)
                .size());
  }

  /** Examples counted. */
  int examples() {
    return examples.size();
  }

  /** Versions that they were first trained into. */
  int versions() {
    return versions;
  }

  /**
   * Whether examples pile up before training: then it is the length of the queue that was measured.
   *
   * @param batchMillis how long the stream takes to bring a batch
   */
  boolean outran(double batchMillis) {
    return percentile(each -> each.stepBegan() - each.appended(), 0.5) > 2 * batchMillis + 200;
  }

  /** Seconds within which this share of the examples has come to life. */
  double seconds(double share) {
    return percentile(Example::total, share) / 1000;
  }

  private double percentile(ToDoubleFunction<Example> part, double share) {
    return Quantiles.of(examples.stream().map(part::applyAsDouble).toList()).at(share);
  }

  /** Milliseconds, in Markdown. The means of the parts add up to that of the whole. */
  @Override
  public String toString() {
    MarkdownTable table = new MarkdownTable("ms");
    PARTS.forEach(
        (name, part) -> {
          double mean = examples.stream().mapToDouble(part).average().orElse(Double.NaN);
          table.put(name, "mean", millis(mean));
          table.put(name, "p50", millis(percentile(part, 0.5)));
          table.put(name, "p90", millis(percentile(part, 0.9)));
          table.put(name, "p99", millis(percentile(part, 0.99)));
          table.put(name, "max", millis(percentile(part, 1)));
        });
    return table.toString();
  }

  private static String millis(double value) {
    return String.format(Locale.ROOT, "%,.0f", value);
  }
}
