package io.millrace.pipeline.cli;

import io.millrace.client.kafka.Connection;
import io.millrace.client.process.ConflictException;
import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Settings;
import io.millrace.client.settings.SettingsOptions;
import io.millrace.pipeline.console.StopSignal;
import io.millrace.pipeline.job.AdaptationJob;
import io.millrace.pipeline.settings.JobSettings;
import io.millrace.pipeline.submission.ChosenState;
import io.millrace.pipeline.submission.ExampleTimestamps;
import io.millrace.pipeline.submission.FlinkJob;
import io.millrace.pipeline.submission.FlinkSession;
import io.millrace.pipeline.submission.FlinkSession.Slots;
import io.millrace.pipeline.submission.InitialAdapters;
import io.millrace.pipeline.submission.JobHealth;
import io.millrace.pipeline.submission.JobSupervisor;
import io.millrace.pipeline.submission.JobTopics;
import io.millrace.pipeline.submission.JobWatch;
import io.millrace.pipeline.submission.RecordLimits;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.flink.api.common.JobID;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Sends the job to a Flink session that is already there. */
@Command(
    name = "submit",
    description = {
      "Start the job on a Flink session: that of millrace up, or any whose task managers have Millrace"
          + " in their lib folder.",
      "It goes on from its newest checkpoint unless told otherwise. millrace stop stops it."
    })
final class SubmitCommand implements Callable<Integer> {
  @Mixin private final FlinkOption flink = new FlinkOption();

  @Option(
      names = "--from",
      paramLabel = "latest|none|PATH",
      defaultValue = ChosenState.LATEST,
      description =
          "Where state comes from: the newest checkpoint of this job in checkpoint.directory, nothing"
              + " (which trains on all of the topic again, versions counting from 1), or a checkpoint"
              + " or savepoint. The last two abandon the job's state so far: it is taken up again only"
              + " if its path is named. Default: ${DEFAULT-VALUE}.")
  private String from;

  @Option(
      names = "--if-running",
      paramLabel = "refuse|ok",
      defaultValue = "refuse",
      description =
          "What to do where a job of this name runs already: refuse (exit code 4), or leave it as it is"
              + " (exit code 0; with --wait, stay with it). Default: ${DEFAULT-VALUE}.")
  private String ifRunning;

  @Option(
      names = "--wait",
      description =
          "Stay until the job has ended, and submit it again from its newest checkpoint whenever the"
              + " session has lost it, as one without high availability does when its job manager"
              + " starts anew. Exit code 0 once the job was stopped or cancelled, 1 once it failed for"
              + " good. Ctrl-C leaves the job running.")
  private boolean wait;

  @Option(
      names = "--stay",
      description =
          "With --wait: stay, too, once the job was stopped or cancelled, and do nothing until this"
              + " process is asked to end. For what starts this command again whenever it ends, as"
              + " containers are, and would start a job again that was just stopped.")
  private boolean stay;

  @Option(
      names = "--start-within",
      paramLabel = "SECONDS",
      defaultValue = "120",
      description = "How long the job may take until it runs. Default: ${DEFAULT-VALUE}.")
  private int startSeconds;

  @Mixin private final Output output = new Output();

  @Mixin private final SettingsOptions options = new SettingsOptions(FlinkJob.SETTINGS);

  /** The state that the job started from; null where from nothing. */
  private String startedFrom;

  @Override
  public Integer call() throws InterruptedException {
    Settings settings = options.load();
    JobSettings.domains(settings);
    // Fails here, not in a task, if a class or an address cannot be used.
    Connection connection = new Connection(settings);
    connection.serializer().close();
    flink.port();
    if (!List.of("refuse", "ok").contains(ifRunning)) {
      throw new UsageException("--if-running: \"" + ifRunning + "\" is not refuse or ok");
    }
    if (stay && !wait) {
      throw new UsageException("--stay goes with --wait alone");
    }
    ExampleTimestamps.check(settings).ifPresent(output::warn);
    String name = settings.get(JobSettings.GROUP);
    try (FlinkSession session = new FlinkSession(flink.host(), flink.port())) {
      List<JobID> running = session.running(name);
      if (!running.isEmpty() && ifRunning.equals("refuse")) {
        throw new ConflictException(
            "job %s is running already, as %s; two would write the same versions twice"
                .formatted(name, running.get(0)));
      }
      JobID job;
      if (running.isEmpty()) {
        JobTopics.require(connection);
        Optional<String> slots = missingSlots(session.slots(), settings);
        FlinkJob submitted = submit(from, settings, connection);
        job = submitted.id();
        slots.ifPresent(
            missing ->
                output.progress(
                    "It waits for task managers, %d s at most: ".formatted(startSeconds)
                        + missing));
        awaitRunning(submitted, slots);
        output.say("It is running; http://" + flink.address() + " shows it.");
      } else {
        job = running.get(0);
        output.say("Job " + name + " runs already, as " + job);
      }
      boolean found = !running.isEmpty();
      output.json(
          () ->
              Json.object()
                  .put("job", name)
                  .put("id", job.toString())
                  .put("submitted", !found)
                  .put("from", startedFrom));
      return wait ? supervise(session, name, job, settings, connection) : 0;
    }
  }

  private FlinkJob submit(String from, Settings settings, Connection connection) {
    RecordLimits.requireDeadLettersFit(settings);
    Settings limited = RecordLimits.ofTopics(settings);
    BaseModels.find(limited)
        .ifPresent(
            model -> {
              RecordLimits.requireFit(limited, model);
              InitialAdapters.requireFit(limited, model).forEach(output::warn);
            });
    String checkpoints = JobSettings.checkpoints(settings);
    ChosenState start = ChosenState.of(from, checkpoints, settings, connection);
    FlinkJob job =
        FlinkJob.submit(
            flink.host(),
            flink.port(),
            limited,
            checkpoints,
            start.state(),
            AdaptationJob.Input.UNBOUNDED);
    startedFrom = start.state().map(state -> state.path()).orElse(null);
    output.say("Job " + settings.get(JobSettings.GROUP) + " is submitted as " + job.id());
    start.lines().forEach(output::say);
    if (!job.isRecorded()) {
      output.warn(
          "Warning: cannot write to %s from here: name a checkpoint with --from next time"
              .formatted(checkpoints));
    }
    return job;
  }

  /**
   * Which slots the job waits for, where the session has too few that are free; it may start more
   * task managers. With a GPU slots are not all alike, and their number says nothing.
   */
  private static Optional<String> missingSlots(Slots slots, Settings settings) {
    int needed = settings.get(JobSettings.PARALLELISM);
    return slots.free() >= needed || settings.get(JobSettings.DEVICE).equals("gpu")
        ? Optional.empty()
        : Optional.of(
            "it needs %d task slots (%s), the session has %d, of which %d were free"
                .formatted(needed, JobSettings.PARALLELISM.key(), slots.total(), slots.free()));
  }

  /** Waits until every task runs, or throws if the job cannot start. */
  private void awaitRunning(FlinkJob job, Optional<String> missingSlots)
      throws InterruptedException {
    try (JobHealth health = job.health();
        JobWatch watch = new JobWatch(job, output::warn)) {
      long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(startSeconds);
      while (System.nanoTime() < deadline) {
        job.requireAlive();
        if (health.allTasksRun()) {
          return;
        }
        look(watch);
        Thread.sleep(200);
      }
    } catch (TimeoutException e) {
      throw new IllegalStateException(
          "the job is submitted; whether it runs is not known: " + e.getMessage(), e);
    }
    throw new IllegalStateException(
        "the job does not run after %d s: %s; it stays submitted, millrace stop --no-savepoint cancels it"
            .formatted(startSeconds, missingSlots.orElse("Flink says " + job.status())));
  }

  private static void look(JobWatch watch) {
    try {
      watch.look(0);
    } catch (IllegalStateException e) {
      throw new IllegalStateException(e.getMessage() + "; it stays submitted", e);
    }
  }

  private int supervise(
      FlinkSession session, String name, JobID job, Settings settings, Connection connection)
      throws InterruptedException {
    try (StopSignal stop = StopSignal.install();
        JobSupervisor supervisor =
            new JobSupervisor(
                session,
                name,
                job,
                () -> submit(ChosenState.LATEST, settings, connection),
                id -> JobHealth.of(flink.host(), flink.port(), id),
                output::warn)) {
      output.progress("Staying with it until it ends; Ctrl-C leaves it running.");
      switch (supervisor.supervise(stop.requested())) {
        case FINISHED -> output.say("Job " + name + " was stopped.");
        case CANCELED -> output.say("Job " + name + " was cancelled.");
        case LEFT -> output.say("Job " + name + " goes on without supervision.");
      }
      if (stay && !stop.requested().isDone()) {
        output.progress(
            "Staying without a job; started again, this goes on from its newest state.");
        stop.requested().join();
      }
      return 0;
    }
  }
}
