package io.millrace.pipeline.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.client.process.NotFoundException;
import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Settings;
import io.millrace.client.settings.SettingsOptions;
import io.millrace.pipeline.console.Progress;
import io.millrace.pipeline.settings.JobSettings;
import io.millrace.pipeline.submission.FlinkJob;
import io.millrace.pipeline.submission.FlinkSession;
import io.millrace.pipeline.submission.Lineage;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.flink.api.common.JobID;
import org.apache.flink.api.common.JobStatus;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Stops a submitted job. */
@Command(
    name = "stop",
    description = {
      "Stop the job with a savepoint, and print the savepoint's path. millrace submit goes on from"
          + " there.",
      "Exit code 0 once it has stopped; 1 if it does not stop, and goes on; 3 if no such job runs."
    })
final class StopCommand implements Callable<Integer> {
  /** Flink gives a savepoint that takes longer than ten minutes up. */
  private static final int PATIENCE_SECONDS = 15 * 60;

  @Mixin private final FlinkOption flink = new FlinkOption();

  @ArgGroup private How how;

  /** One of them. */
  private static final class How {
    @Option(
        names = "--drain",
        description =
            "Let the input end here: train on the open batches as they are, and publish the last"
                + " versions.")
    private boolean drain;

    @Option(
        names = "--no-savepoint",
        description =
            "Cancel the job. Its checkpoints stay; what it has trained since the last one is trained"
                + " again.")
    private boolean cancel;
  }

  @Option(
      names = "--to",
      paramLabel = "DIR",
      description =
          "Where the savepoint goes: a path or the URI of a file system, the same for client and"
              + " cluster. Default: savepoints in checkpoint.directory.")
  private String to;

  @Mixin private final Output output = new Output();

  @Mixin private final SettingsOptions options = new SettingsOptions(FlinkJob.SETTINGS);

  @Override
  public Integer call() throws InterruptedException {
    Settings settings = options.load();
    String name = settings.get(JobSettings.GROUP);
    ArrayNode ended = Json.array();
    boolean cancel = how != null && how.cancel;
    if (cancel && to != null) {
      throw new UsageException("--to is for a savepoint, and --no-savepoint takes none");
    }
    try (FlinkSession session = new FlinkSession(flink.host(), flink.port())) {
      List<JobID> jobs = session.running(name);
      if (jobs.isEmpty()) {
        throw new NotFoundException(
            "no job %s runs at %s; job.name names another".formatted(name, flink.address()));
      }
      boolean endsWithJob = session.isApplication();
      for (JobID job : jobs) {
        if (cancel) {
          cancel(session, name, job, endsWithJob);
          ended.add(json(name, job).put("state", "cancelled").putNull("savepoint"));
        } else {
          String savepoint =
              stop(session, name, job, endsWithJob, JobSettings.checkpoints(settings));
          ended.add(json(name, job).put("state", "stopped").put("savepoint", savepoint));
        }
      }
    }
    output.json(() -> ended);
    return 0;
  }

  private static ObjectNode json(String name, JobID job) {
    return Json.object().put("job", name).put("id", job.toString());
  }

  private void cancel(FlinkSession session, String name, JobID job, boolean endsWithJob)
      throws InterruptedException {
    session.cancel(job);
    awaitEnd(session, job, endsWithJob);
    output.say("Job %s (%s) is cancelled; its checkpoints stay".formatted(name, job));
  }

  /** Returns the savepoint's path. */
  private String stop(
      FlinkSession session, String name, JobID job, boolean endsWithJob, String checkpoints)
      throws InterruptedException {
    String directory = to == null ? checkpoints.replaceAll("/+$", "") + "/savepoints" : to;
    boolean drain = how != null && how.drain;
    String savepoint = await(session.stop(job, drain, directory));
    awaitEnd(session, job, endsWithJob);
    boolean recorded = Lineage.recordStop(checkpoints, job, savepoint);
    output.say("Job %s (%s) is stopped; its state is in %s".formatted(name, job, savepoint));
    output.say(
        recorded
            ? "millrace submit goes on from there"
            : "millrace submit --from %s goes on from there: %s holds no record of this start"
                .formatted(savepoint, checkpoints));
    return savepoint;
  }

  private String await(CompletableFuture<String> stopped) throws InterruptedException {
    try (Progress progress = Progress.start("Stopping", -1, "s")) {
      for (int second = 0; second < PATIENCE_SECONDS; second++) {
        progress.at(second);
        try {
          return stopped.get(1, TimeUnit.SECONDS);
        } catch (TimeoutException e) {
          // Not yet.
        }
      }
      throw new IllegalStateException(
          "the job has not stopped after %d minutes; it may still"
              .formatted(PATIENCE_SECONDS / 60));
    } catch (ExecutionException e) {
      throw new IllegalStateException(
          "the job does not stop, and goes on: " + FlinkJob.rootMessage(e), e);
    }
  }

  /**
   * @param endsWithJob whether the cluster ends with the job, and answers no more
   */
  private static void awaitEnd(FlinkSession session, JobID job, boolean endsWithJob)
      throws InterruptedException {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
    while (System.nanoTime() < deadline) {
      try {
        Optional<JobStatus> status = session.status(job);
        if (status.map(JobStatus::isGloballyTerminalState).orElse(true)) {
          return;
        }
      } catch (IllegalStateException e) {
        if (endsWithJob) {
          return;
        }
        throw e;
      }
      Thread.sleep(200);
    }
    throw new IllegalStateException("the job has not ended after its savepoint");
  }
}
