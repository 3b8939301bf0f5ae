package io.millrace.benchmarks.domains;

import io.millrace.benchmarks.report.MarkdownTable;
import io.millrace.client.kafka.Connection;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.embedded.EmbeddedStack;
import io.millrace.pipeline.records.CommittedTopic;
import io.millrace.schemas.Topics;
import io.millrace.schemas.TrainingStep;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Stream;
import org.apache.kafka.common.serialization.Deserializer;

/**
 * What a killed training of many domains has left: its examples and steps, memory, checkpoints.
 *
 * @param examples in the topic
 * @param steps on record
 * @param domains that have steps
 * @param twice how often an example was trained on again
 * @param never examples that were not trained on
 * @param activeDomains the sum over all checkpoints of the domains that had stepped since the one
 *     before
 * @param training what ran
 */
record DomainLoad(
    long examples,
    long steps,
    long domains,
    long twice,
    long never,
    long activeDomains,
    KilledTraining training) {
  private static final List<Setting<?>> SETTINGS =
      Stream.of(EmbeddedStack.SETTINGS, Connection.SETTINGS)
          .<Setting<?>>flatMap(List::stream)
          .toList();

  private static final int ROWS = 10;
  private static final double MB = 1e6;

  /**
   * Reads it.
   *
   * @param data the directory of the training, which has ended
   */
  static DomainLoad read(Path data, KilledTraining training) {
    Settings settings = Settings.of(SETTINGS, null, List.of());
    try (EmbeddedStack stack = EmbeddedStack.start(data, EmbeddedStack.Ports.FREE, settings)) {
      Connection connection = new Connection(stack.connect(settings));
      TrainedOnce trained = new TrainedOnce();
      Set<String> domains = new HashSet<>();
      Set<String> active = new HashSet<>();
      long[] steps = {0};
      try (CommittedTopic topic = new CommittedTopic(connection, Topics.TRAINING_STEPS);
          Deserializer<TrainingStep> reader = connection.deserializer(TrainingStep.class)) {
        topic.forEach(
            record -> {
              TrainingStep step = reader.deserialize(record.topic(), record.value());
              trained.add(step);
              steps[0]++;
              domains.add(step.getDomain());
              long finished = step.getFinishedAt().toEpochMilli();
              active.add(training.checkpoints().after(finished) + " " + step.getDomain());
            });
      }
      long[] examples = {0};
      try (CommittedTopic topic = new CommittedTopic(connection, Topics.LABELED_EXAMPLES)) {
        topic.forEach(
            record -> {
              examples[0]++;
              trained.expect(record.partition(), record.offset());
            });
      }
      return new DomainLoad(
          examples[0],
          steps[0],
          domains.size(),
          trained.twice(),
          trained.never(),
          active.size(),
          training);
    }
  }

  /** Whether every example was trained on, and none again. */
  boolean exactlyOnce() {
    return twice == 0 && never == 0;
  }

  /** Bytes that checkpoints wrote for each domain that had stepped since the one before. */
  long checkpointBytesPerActiveDomain() {
    return training.checkpoints().written() / Math.max(1, activeDomains);
  }

  /** Memory by the part of the examples that was trained on: a table in Markdown. */
  String memory() {
    MarkdownTable table = new MarkdownTable("run, trained");
    for (KilledTraining.Look look : training.looks()) {
      // The last look of each part is the one that stays.
      String row =
          "%d, %d %%"
              .formatted(look.run(), look.trained() * ROWS / Math.max(1, examples) * 100 / ROWS);
      put(table, row, "after s", look.seconds());
      put(table, row, "examples", look.trained());
      put(table, row, "heap, MB", look.heap() / MB);
      put(table, row, "resident, MB", look.resident() / MB);
      put(table, row, "checkpoints, MB", look.checkpoints() / MB);
    }
    return table.toString();
  }

  private static void put(MarkdownTable table, String row, String column, double value) {
    table.put(row, column, String.format(Locale.ROOT, "%,.0f", value));
  }
}
