package io.millrace.benchmarks.domains;

import io.millrace.benchmarks.load.SteadyFeed;
import io.millrace.client.kafka.Connection;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.console.StopSignal;
import io.millrace.pipeline.embedded.EmbeddedFlink;
import io.millrace.pipeline.embedded.EmbeddedStack;
import io.millrace.pipeline.job.AdaptationJob;
import io.millrace.pipeline.records.CommittedTopic;
import io.millrace.pipeline.report.DomainRecord;
import io.millrace.pipeline.report.RunRecord;
import io.millrace.pipeline.settings.JobSettings;
import io.millrace.pipeline.submission.FlinkJob;
import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.OffsetRun;
import io.millrace.schemas.Topics;
import io.millrace.schemas.TrainingStep;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.Collectors;

/** The job on this machine, with a steady stream of examples of many domains. */
final class DomainWaitsRun {
  private static final Duration POLL = Duration.ofMillis(100);
  private static final Duration STARTS_WITHIN = Duration.ofMinutes(3);

  /** How long the last steps may take once nothing comes any more. */
  private static final Duration SOON = Duration.ofSeconds(5);

  private static final Duration ENDS_WITHIN = Duration.ofMinutes(5);

  private final Settings settings;
  private final Path data;
  private final StopSignal stop;
  private final Consumer<String> progress;

  /**
   * @param settings the job's, the stack's and the connection's; no timeout closes a batch
   * @param data an empty directory
   * @param progress takes lines for people
   */
  DomainWaitsRun(Settings settings, Path data, StopSignal stop, Consumer<String> progress) {
    this.settings = settings;
    this.data = data;
    this.stop = stop;
    this.progress = progress;
  }

  /**
   * What came of it.
   *
   * @param kept whether training kept up with the stream
   */
  record Result(DomainWaits waits, boolean kept) {}

  /**
   * Runs it.
   *
   * @param examples in the order in which they come; of domains as {@link DealtExamples#name} names
   *     them
   * @param domains of the stream
   * @param warmUp so many examples of the beginning do not count
   * @throws IllegalStateException where a part fails
   * @throws InterruptedException where the run was asked to stop
   */
  Result run(List<LabeledExample> examples, int domains, double perSecond, int warmUp)
      throws InterruptedException {
    progress.accept("Starting Kafka, the schema registry and Flink ...");
    ClosedSteps steps = new ClosedSteps();
    try (EmbeddedStack stack = EmbeddedStack.start(data, EmbeddedStack.Ports.FREE, settings)) {
      Settings connected = stack.connect(settings);
      Connection connection = new Connection(connected);
      try (EmbeddedFlink flink =
              EmbeddedFlink.start(data.resolve("flink"), 0, JobSettings.localSlots(connected));
          RunRecord record = new RunRecord(connection, steps)) {
        FlinkJob job =
            FlinkJob.submit(
                "127.0.0.1",
                flink.port(),
                connected,
                data.resolve("checkpoints").toString(),
                Optional.empty(),
                AdaptationJob.Input.UNBOUNDED);
        boolean kept = feed(job, record, connection, examples, perSecond, warmUp);
        return new Result(new DomainWaits(domains, waits(steps.all, connection, warmUp)), kept);
      }
    }
  }

  private boolean feed(
      FlinkJob job,
      RunRecord record,
      Connection connection,
      List<LabeledExample> examples,
      double perSecond,
      int warmUp)
      throws InterruptedException {
    int batch = settings.get(JobSettings.BATCH_SIZE);
    long warmUpSteps = fullBatches(examples.subList(0, warmUp), batch);
    long steps = fullBatches(examples, batch);
    progress.accept("Warming up with %,d examples ...".formatted(warmUp));
    send(job, record, connection, examples.subList(0, warmUp), perSecond);
    await(job, record, warmUpSteps, STARTS_WITHIN);
    progress.accept("Measuring with %,d examples ...".formatted(examples.size() - warmUp));
    send(job, record, connection, examples.subList(warmUp, examples.size()), perSecond);
    long ended = System.nanoTime();
    await(job, record, steps, ENDS_WITHIN);
    return System.nanoTime() - ended < SOON.toNanos();
  }

  private static long fullBatches(List<LabeledExample> examples, int size) {
    return examples.stream()
        .collect(Collectors.groupingBy(LabeledExample::getDomain, Collectors.counting()))
        .values()
        .stream()
        .mapToLong(count -> count / size)
        .sum();
  }

  private void send(
      FlinkJob job,
      RunRecord record,
      Connection connection,
      List<LabeledExample> examples,
      double perSecond)
      throws InterruptedException {
    try (SteadyFeed feed = new SteadyFeed(connection, examples, perSecond)) {
      Thread thread = new Thread(() -> feed.run(examples.size()), "feed");
      thread.start();
      try {
        while (thread.isAlive()) {
          look(job, record);
          feed.requireSound();
        }
      } finally {
        thread.interrupt();
        thread.join();
      }
    }
  }

  private void await(FlinkJob job, RunRecord record, long steps, Duration within)
      throws InterruptedException {
    long deadline = System.nanoTime() + within.toNanos();
    while (steps(record) < steps) {
      look(job, record);
      if (System.nanoTime() > deadline) {
        throw new IllegalStateException(
            "%,d of %,d steps are on record after %d s"
                .formatted(steps(record), steps, within.toSeconds()));
      }
    }
  }

  private static long steps(RunRecord record) {
    return record.domains().values().stream().mapToLong(DomainRecord::steps).sum();
  }

  /**
   * A step, and the place of the example that closed its batch.
   *
   * @param finished milliseconds since the epoch
   */
  private record ClosedStep(int domain, int partition, long offset, long finished) {}

  /** What the waits are made of. */
  private static final class ClosedSteps implements RunRecord.Listener {
    final List<ClosedStep> all = new ArrayList<>();

    @Override
    public void took(TrainingStep step) {
      OffsetRun last = step.getBatch().get(step.getBatch().size() - 1);
      all.add(
          new ClosedStep(
              DealtExamples.number(step.getDomain()),
              last.getPartition(),
              last.getFirstOffset() + last.getCount() - 1,
              step.getFinishedAt().toEpochMilli()));
    }
  }

  private void look(FlinkJob job, RunRecord record) throws InterruptedException {
    if (stop.requested().isDone()) {
      throw new InterruptedException();
    }
    job.requireAlive();
    record.poll(POLL);
  }

  private static List<DomainWaits.Batch> waits(
      List<ClosedStep> steps, Connection connection, int warmUp) {
    Map<String, Long> appendedAt = new HashMap<>();
    List<Long> times = new ArrayList<>();
    try (CommittedTopic topic = new CommittedTopic(connection, Topics.LABELED_EXAMPLES)) {
      topic.forEach(
          example -> {
            appendedAt.put(place(example.partition(), example.offset()), example.timestamp());
            times.add(example.timestamp());
          });
    }
    times.sort(null);
    long from = times.get(warmUp);
    List<DomainWaits.Batch> waits = new ArrayList<>();
    for (ClosedStep step : steps) {
      long closed = appendedAt.get(place(step.partition(), step.offset()));
      if (closed >= from) {
        waits.add(new DomainWaits.Batch(step.domain(), step.finished() - closed));
      }
    }
    return waits;
  }

  private static String place(int partition, long offset) {
    return partition + "@" + offset;
  }
}
