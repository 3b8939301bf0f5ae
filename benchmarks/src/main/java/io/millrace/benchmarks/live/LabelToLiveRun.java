package io.millrace.benchmarks.live;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.millrace.benchmarks.load.SteadyFeed;
import io.millrace.benchmarks.load.SteadyLoad;
import io.millrace.benchmarks.process.ServeProcess;
import io.millrace.client.kafka.Connection;
import io.millrace.client.process.Home;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.console.StopSignal;
import io.millrace.pipeline.demo.WordNet;
import io.millrace.pipeline.embedded.EmbeddedFlink;
import io.millrace.pipeline.embedded.EmbeddedStack;
import io.millrace.pipeline.job.AdaptationJob;
import io.millrace.pipeline.report.RunRecord;
import io.millrace.pipeline.settings.JobSettings;
import io.millrace.pipeline.submission.FlinkJob;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.TrainingStep;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Consumer;

/** All of Millrace on one machine, with a steady stream of examples and of predictions. */
final class LabelToLiveRun {
  /** Different texts in the stream; then they come again. */
  private static final int TEXTS = 10_000;

  /** Short, for what is measured is not how long it takes to read it. */
  private static final List<String> ASKED = List.of("a small dog");

  private static final double ASKED_PER_SECOND = 100;
  private static final JsonMapper JSON = new JsonMapper();
  private static final Duration POLL = Duration.ofMillis(20);
  private static final Duration STARTS_WITHIN = Duration.ofMinutes(3);
  private static final Duration ANSWERED_WITHIN = Duration.ofMinutes(1);

  private final Settings settings;
  private final Path data;
  private final StopSignal stop;
  private final Consumer<String> progress;

  /**
   * @param settings the job's, the stack's and the connection's
   * @param data an empty directory
   * @param progress takes lines for people
   */
  LabelToLiveRun(Settings settings, Path data, StopSignal stop, Consumer<String> progress) {
    this.settings = settings;
    this.data = data;
    this.stop = stop;
    this.progress = progress;
  }

  /**
   * What came of it.
   *
   * @param answers that came while it ran
   * @param failures requests that were refused or lost since the first answer
   */
  record Result(LabelToLive latencies, long answers, long failures) {}

  /**
   * Runs it.
   *
   * @param perSecond examples
   * @param warmUp from the first answer on, nothing counts for so long
   * @param measured examples that come in for so long then count
   * @throws IllegalStateException where a part fails
   * @throws InterruptedException where the run was asked to stop
   */
  Result run(double perSecond, Duration warmUp, Duration measured)
      throws IOException, InterruptedException {
    List<LabeledExample> examples = WordNet.load().definitions(TEXTS);
    Published published = new Published();
    progress.accept("Starting Kafka, the schema registry, Flink and a serving process ...");
    try (EmbeddedStack stack = EmbeddedStack.start(data, EmbeddedStack.Ports.FREE, settings)) {
      Settings connected = stack.connect(settings);
      Connection connection = new Connection(connected);
      try (EmbeddedFlink flink = EmbeddedFlink.start(data.resolve("flink"), 0, 1);
          ServeProcess serve =
              ServeProcess.start(
                  Home.directory(),
                  data.resolve("serve"),
                  connection,
                  List.of("model.store=" + JobSettings.modelStore(settings)));
          SteadyFeed feed = new SteadyFeed(connection, examples, perSecond);
          RunRecord record = new RunRecord(connection, published)) {
        FlinkJob job =
            FlinkJob.submit(
                "127.0.0.1",
                flink.port(),
                connected,
                data.resolve("checkpoints").toString(),
                Optional.empty(),
                AdaptationJob.Input.UNBOUNDED);
        AnsweringVersions answering =
            new AnsweringVersions(
                new SteadyLoad(serve.address(), WordNet.DOMAIN, ASKED, ASKED_PER_SECOND));
        ExecutorService threads = Executors.newFixedThreadPool(2);
        try {
          threads.submit(answering);
          threads.submit(feed);
          return follow(job, feed, record, published, answering, serve, warmUp, measured);
        } finally {
          threads.shutdownNow();
        }
      }
    }
  }

  private Result follow(
      FlinkJob job,
      SteadyFeed feed,
      RunRecord record,
      Published published,
      AnsweringVersions answering,
      ServeProcess serve,
      Duration warmUp,
      Duration measured)
      throws IOException, InterruptedException {
    long begun = System.currentTimeMillis();
    while (answering.newest() == 0) {
      step(job, feed, record);
      requireBefore(begun + STARTS_WITHIN.toMillis(), "no version answers");
    }
    progress.accept("Warming up for " + warmUp.toSeconds() + " s ...");
    long from = System.currentTimeMillis() + warmUp.toMillis();
    long to = from + measured.toMillis();
    until(from, job, feed, record);
    progress.accept("Measuring for " + measured.toSeconds() + " s ...");
    until(to, job, feed, record);
    NavigableMap<Long, Long> counted = new TreeMap<>();
    feed.appendedAt()
        .forEach(
            (offset, appended) -> {
              if (appended >= from && appended < to) {
                counted.put(offset, appended);
              }
            });
    if (counted.isEmpty()) {
      throw new IllegalStateException("no example came in while it was measured");
    }
    // The stream goes on, so that the last ones' batches fill as all others do.
    while (!hasAnswered(counted.lastKey(), published, answering)) {
      step(job, feed, record);
      requireBefore(to + ANSWERED_WITHIN.toMillis(), "the last examples are not live");
    }
    LabelToLive latencies =
        LabelToLive.of(
            counted,
            published.steps,
            published.versions,
            published.committedAt,
            liveAt(serve),
            answering.firstAnswerAt());
    return new Result(latencies, answering.answers(), answering.failures());
  }

  private static boolean hasAnswered(
      long offset, Published published, AnsweringVersions answering) {
    var newest = published.versions.floorEntry(answering.newest());
    return newest != null && newest.getValue().getTrainedThrough().get(0).getOffset() >= offset;
  }

  /** The records of the one domain, without payloads, and when each version was read. */
  private static final class Published implements RunRecord.Listener {
    final List<TrainingStep> steps = new ArrayList<>();
    final NavigableMap<Long, AdapterVersion> versions = new TreeMap<>();
    final Map<Long, Long> committedAt = new HashMap<>();

    @Override
    public void took(TrainingStep step) {
      steps.add(step);
    }

    @Override
    public void took(AdapterVersion version) {
      committedAt.put(version.getVersion(), System.currentTimeMillis());
      version.setPayload(ByteBuffer.allocate(0));
      version.setManifest(null);
      versions.put(version.getVersion(), version);
    }
  }

  /** When versions were first made to serve, by their numbers. */
  private static NavigableMap<Long, Long> liveAt(ServeProcess serve)
      throws IOException, InterruptedException {
    NavigableMap<Long, Long> liveAt = new TreeMap<>();
    JsonNode answer =
        JSON.readTree(serve.get("/v1/adapters?versions=1000&domain=" + WordNet.DOMAIN).body());
    for (JsonNode version : answer.path("domains").path(0).path("versions")) {
      if (version.path("liveAt").isTextual()) {
        liveAt.put(
            version.path("version").asLong(),
            Instant.parse(version.path("liveAt").asText()).toEpochMilli());
      }
    }
    return liveAt;
  }

  private void until(long end, FlinkJob job, SteadyFeed feed, RunRecord record)
      throws InterruptedException {
    while (System.currentTimeMillis() < end) {
      step(job, feed, record);
    }
  }

  private void step(FlinkJob job, SteadyFeed feed, RunRecord record) throws InterruptedException {
    if (stop.requested().isDone()) {
      throw new InterruptedException();
    }
    job.requireAlive();
    feed.requireSound();
    record.poll(POLL);
  }

  private static void requireBefore(long deadline, String otherwise) {
    if (System.currentTimeMillis() > deadline) {
      throw new IllegalStateException(otherwise);
    }
  }
}
