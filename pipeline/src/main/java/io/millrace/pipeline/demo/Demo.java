package io.millrace.pipeline.demo;

import io.millrace.client.kafka.Connection;
import io.millrace.client.settings.Settings;
import io.millrace.operators.adapt.DomainSettings;
import io.millrace.pipeline.console.Progress;
import io.millrace.pipeline.console.StopSignal;
import io.millrace.pipeline.embedded.EmbeddedFlink;
import io.millrace.pipeline.embedded.EmbeddedStack;
import io.millrace.pipeline.embedded.PeakMemory;
import io.millrace.pipeline.job.AdaptationJob;
import io.millrace.pipeline.report.RunRecord;
import io.millrace.pipeline.settings.JobSettings;
import io.millrace.pipeline.submission.FlinkJob;
import io.millrace.pipeline.submission.JobWatch;
import io.millrace.pipeline.submission.StartingState;
import io.millrace.schemas.LabeledExample;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;

/**
 * The whole of Millrace on one machine, on WordNet's stream: a live feed into Kafka, the job in
 * Flink, which compares every step with the frozen model, and a serving process that follows the
 * versions and answers all the while.
 */
public final class Demo {
  private static final int UNSEEN_TEXTS = 500;
  private static final Duration LAST_VERSION_SERVED_WITHIN = Duration.ofSeconds(60);

  private final Settings settings;
  private final Path data;
  private final List<String> serve;
  private final StopSignal stop;
  private final Consumer<String> say;
  private final List<LabeledExample> definitions;
  private final List<LabeledExample> usages;
  private final List<String> unseen;

  /** Savepoint of the job that has ended with the stream; null before. */
  private String drained;

  /**
   * @param settings the job's, the stack's and the connection's
   * @param data an empty directory
   * @param serve what starts {@code millrace serve}, without options
   * @param definitions how many definitions the stream begins with
   * @param usages how many usage examples follow
   */
  public Demo(
      Settings settings,
      Path data,
      List<String> serve,
      StopSignal stop,
      Consumer<String> say,
      int definitions,
      int usages)
      throws IOException {
    this.settings = settings.with(JobSettings.FROZEN_SHARE, 1.0);
    this.data = data;
    this.serve = serve;
    this.stop = stop;
    this.say = say;
    WordNet wordNet = WordNet.load();
    this.definitions = wordNet.definitions(definitions);
    List<LabeledExample> drawn = wordNet.usages(usages + UNSEEN_TEXTS);
    int streamed = Math.max(0, Math.min(usages, drawn.size() - UNSEEN_TEXTS));
    this.usages = drawn.subList(0, streamed);
    this.unseen =
        drawn.subList(streamed, drawn.size()).stream().map(LabeledExample::getText).toList();
  }

  /**
   * Runs it to its end.
   *
   * @return the result; empty if a stop was requested before
   * @throws IllegalStateException where a part fails
   */
  public Optional<DemoResult> run() {
    return run(result -> {}, Optional.empty());
  }

  /**
   * Runs it to its end, and goes on where that is wanted: the job reads what else comes, as labels
   * for predictions.
   *
   * @param shown takes the result
   * @param until returns when it is to end; empty where it ends with the result
   * @return the result; empty if a stop was requested before
   * @throws IllegalStateException where a part fails
   */
  public Optional<DemoResult> run(Consumer<DemoResult> shown, Optional<Runnable> until) {
    say.accept("Starting Kafka, the schema registry, Flink and a serving process ...");
    try (EmbeddedStack stack = EmbeddedStack.start(data, EmbeddedStack.Ports.FREE, settings)) {
      Settings connected = stack.connect(settings);
      Connection connection = new Connection(connected);
      try (EmbeddedFlink flink =
              EmbeddedFlink.start(data.resolve("flink"), 0, JobSettings.localSlots(settings));
          ServeSubprocess serving =
              ServeSubprocess.start(
                  serve, data.resolve("serve"), JobSettings.modelStore(settings), connection)) {
        say.accept("The page is at " + serving.address() + "/");
        say.accept("Its token for decisions: " + serving.rolloutToken());
        Optional<DemoResult> result =
            live(connection, submit(flink, connected, Optional.empty()), serving);
        result.ifPresent(shown);
        if (result.isPresent() && until.isPresent()) {
          submit(flink, connected, Optional.of(StartingState.savepoint(drained)));
          until.get().run();
        }
        return result;
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return Optional.empty();
    } catch (IOException e) {
      throw new IllegalStateException("the serving process does not answer: " + e.getMessage(), e);
    }
  }

  private FlinkJob submit(EmbeddedFlink flink, Settings connected, Optional<StartingState> start) {
    return FlinkJob.submit(
        "127.0.0.1",
        flink.port(),
        connected,
        data.resolve("checkpoints").toString(),
        start,
        AdaptationJob.Input.UNBOUNDED);
  }

  private Optional<DemoResult> live(Connection connection, FlinkJob job, ServeSubprocess serving)
      throws InterruptedException, IOException {
    List<LabeledExample> stream = new ArrayList<>(definitions);
    stream.addAll(usages);
    PredictionLoad load = new PredictionLoad(serving.address(), WordNet.DOMAIN, unseen);
    DemoSteps steps = new DemoSteps();
    ExecutorService threads = Executors.newFixedThreadPool(2);
    try (LiveFeed feed = new LiveFeed(connection);
        RunRecord record = new RunRecord(connection, steps)) {
      threads.submit(load);
      Future<?> feeding =
          threads.submit(
              () -> {
                feed.run(stream);
                return null;
              });
      try {
        if (!follow(job, feeding, record, steps, load, stream.size())) {
          return Optional.empty();
        }
        awaitServed(load, record.domains().get(WordNet.DOMAIN).versions());
        long live = serving.versionsLive(WordNet.DOMAIN);
        long memory = PeakMemory.mib();
        List<Boolean> frozen = FrozenAnswers.read(connection, steps.taken());
        return Optional.of(
            DemoResult.of(definitions.size(), record, steps, frozen, feed, load, live, memory));
      } finally {
        threads.shutdownNow();
      }
    }
  }

  /** Waits until all fed examples are trained on and committed; false if a stop was requested. */
  private boolean follow(
      FlinkJob job,
      Future<?> feeding,
      RunRecord record,
      DemoSteps steps,
      PredictionLoad load,
      long total)
      throws InterruptedException {
    try (Progress progress = Progress.start("Adapting", total, "examples");
        JobWatch watch = new JobWatch(job, progress::say)) {
      // What stays in an unfinished batch trains when the job drains.
      int batchSize =
          JobSettings.domains(settings).all().stream()
              .mapToInt(DomainSettings::batchSize)
              .max()
              .orElseThrow();
      long almost = total - batchSize;
      while (!feeding.isDone() || record.examples() + record.letters() <= almost) {
        if (stop.requested().isDone()) {
          return false;
        }
        job.requireAlive();
        requireSound(feeding);
        record.poll(Duration.ofMillis(200));
        watch.look(record.committed());
        progress.at(record.examples(), note(steps, load));
      }
      drained = job.drain(data.resolve("savepoints"));
      record.readToEnd();
      progress.at(record.examples(), note(steps, load));
      return true;
    }
  }

  private static void requireSound(Future<?> feeding) throws InterruptedException {
    if (feeding.isDone()) {
      try {
        feeding.get();
      } catch (ExecutionException | CancellationException e) {
        throw new IllegalStateException("the feed failed: " + e.getMessage(), e);
      }
    }
  }

  private static String note(DemoSteps steps, PredictionLoad load) {
    List<Boolean> correct = steps.correct();
    if (correct.isEmpty() && steps.trainedThrough().isEmpty()) {
      return "";
    }
    int from = Math.max(0, correct.size() - 500);
    long right = correct.subList(from, correct.size()).stream().filter(each -> each).count();
    return "accuracy %.2f, version %d published, %d answering"
        .formatted(
            (double) right / Math.max(1, correct.size() - from),
            steps.trainedThrough().size(),
            load.newestVersion());
  }

  private void awaitServed(PredictionLoad load, long version) throws InterruptedException {
    try {
      CompletableFuture.anyOf(load.answered(version), stop.requested())
          .get(LAST_VERSION_SERVED_WITHIN.toNanos(), TimeUnit.NANOSECONDS);
    } catch (TimeoutException e) {
      throw new IllegalStateException(
          "the serving process answers with version %d, %d is published"
              .formatted(load.newestVersion(), version));
    } catch (ExecutionException e) {
      throw new IllegalStateException(e);
    }
    if (load.newestVersion() < version) {
      // A stop was requested.
      throw new InterruptedException();
    }
  }
}
