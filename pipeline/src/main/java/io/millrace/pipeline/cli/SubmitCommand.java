package io.millrace.pipeline.cli;

import io.millrace.client.kafka.Connection;
import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.client.settings.SettingsOptions;
import io.millrace.pipeline.input.ExampleLimits;
import io.millrace.pipeline.job.AdaptationJob;
import io.millrace.pipeline.settings.JobSettings;
import io.millrace.pipeline.submission.ChosenState;
import io.millrace.pipeline.submission.ExampleTimestamps;
import io.millrace.pipeline.submission.FlinkJob;
import io.millrace.pipeline.submission.JobHealth;
import io.millrace.pipeline.submission.JobTopics;
import io.millrace.pipeline.submission.JobWatch;
import io.millrace.pipeline.submission.RecordLimits;
import java.io.PrintWriter;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeoutException;
import java.util.stream.Stream;
import org.apache.flink.api.common.JobID;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Sends the job to a Flink session that is already there. */
@Command(
    name = "submit",
    description = {
      "Start the job on a Flink session: that of millrace up, or any whose task managers have Millrace"
          + " in their lib folder.",
      "It goes on from its newest checkpoint unless told otherwise."
    })
final class SubmitCommand implements Callable<Integer> {
  private static final List<Setting<?>> SETTINGS =
      Stream.of(JobSettings.ALL, ExampleLimits.SETTINGS, Connection.SETTINGS)
          .<Setting<?>>flatMap(List::stream)
          .toList();

  /** How long the job may take from its submission to running. */
  private static final int START_SECONDS = 120;

  @Option(
      names = "--flink",
      paramLabel = "HOST:PORT",
      defaultValue = "127.0.0.1:8082",
      description = "The session's REST interface. Default: ${DEFAULT-VALUE}.")
  private String flink;

  @Option(
      names = "--from",
      paramLabel = "latest|none|PATH",
      defaultValue = "latest",
      description =
          "Where state comes from: the newest checkpoint of this job in checkpoint.directory, nothing"
              + " (which trains on all of the topic again, versions counting from 1), or a checkpoint"
              + " or savepoint. The last two abandon the job's state so far: it is taken up again only"
              + " if its path is named. Default: ${DEFAULT-VALUE}.")
  private String from;

  @Mixin private final SettingsOptions options = new SettingsOptions(SETTINGS);

  @Spec private CommandSpec spec;

  @Override
  public Integer call() throws InterruptedException {
    Settings settings = options.load();
    JobSettings.method(settings);
    // Fails here, not in a task, if a class or an address cannot be used.
    Connection connection = new Connection(settings);
    connection.serializer().close();
    int colon = flink.lastIndexOf(':');
    String host = colon < 0 ? flink : flink.substring(0, colon);
    int port = port(colon);
    ExampleTimestamps.check(settings).ifPresent(this::say);
    String name = settings.get(JobSettings.GROUP);
    List<JobID> running = FlinkJob.running(host, port, name);
    if (!running.isEmpty()) {
      throw new UsageException(
          "job %s is running already, as %s; two would write the same versions twice"
              .formatted(name, running.get(0)));
    }
    JobTopics.require(connection);
    Settings limited = RecordLimits.ofTopics(settings);
    BaseModels.find(limited).ifPresent(model -> RecordLimits.requireFit(limited, model));
    String checkpoints = JobSettings.checkpoints(settings);
    ChosenState start = ChosenState.of(from, checkpoints, settings, connection);
    FlinkJob job =
        FlinkJob.submit(
            host, port, limited, checkpoints, start.state(), AdaptationJob.Input.UNBOUNDED);
    say("Job " + name + " is submitted as " + job.id());
    start.lines().forEach(this::say);
    if (!job.isRecorded()) {
      say(
          "Warning: cannot write to %s from here: name a checkpoint with --from next time"
              .formatted(checkpoints));
    }
    awaitRunning(job);
    say("It is running; http://" + host + ":" + port + " shows it.");
    return 0;
  }

  private int port(int colon) {
    try {
      return Integer.parseInt(flink.substring(colon + 1));
    } catch (NumberFormatException e) {
      throw new UsageException("--flink: \"" + flink + "\" is not HOST:PORT");
    }
  }

  /** Waits until every task runs, or throws if the job cannot start. */
  private void awaitRunning(FlinkJob job) throws InterruptedException {
    try (JobHealth health = job.health();
        JobWatch watch = new JobWatch(job, this::say)) {
      for (int i = 0; i < START_SECONDS * 5; i++) {
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
        "the job does not run after %d s: Flink says %s".formatted(START_SECONDS, job.status()));
  }

  private static void look(JobWatch watch) {
    try {
      watch.look(0);
    } catch (IllegalStateException e) {
      throw new IllegalStateException(e.getMessage() + "; it stays submitted", e);
    }
  }

  private void say(String line) {
    PrintWriter out = spec.commandLine().getOut();
    out.println(line);
    out.flush();
  }
}
