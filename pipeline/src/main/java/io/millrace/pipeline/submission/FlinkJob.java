package io.millrace.pipeline.submission;

import io.millrace.client.kafka.Connection;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.operators.gate.ExampleRules;
import io.millrace.pipeline.input.ExampleLimits;
import io.millrace.pipeline.job.AdaptationJob;
import io.millrace.pipeline.settings.JobSettings;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.stream.Stream;
import org.apache.flink.api.common.JobID;
import org.apache.flink.api.common.JobStatus;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.PipelineOptionsInternal;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.core.execution.SavepointFormatType;
import org.apache.flink.streaming.api.environment.RemoteStreamEnvironment;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A submitted job on a Flink session: its submission, status and stop. */
public final class FlinkJob {
  /** What a job is made of, wherever it is to run. */
  public static final List<Setting<?>> SETTINGS =
      Stream.of(JobSettings.ALL, ExampleLimits.SETTINGS, Connection.SETTINGS)
          .<Setting<?>>flatMap(List::stream)
          .toList();

  private static final Logger LOG = LoggerFactory.getLogger(FlinkJob.class);

  private final JobClient client;
  private final String host;
  private final int port;
  private final boolean recorded;
  private final CompletableFuture<Void> finished;

  private FlinkJob(JobClient client, String host, int port, boolean recorded) {
    this.client = client;
    this.host = host;
    this.port = port;
    this.recorded = recorded;
    this.finished = client.getJobExecutionResult().thenAccept(result -> {});
  }

  /**
   * Sends the job to a session whose task managers have Millrace on their own class path. Before
   * that, it records the start beside the checkpoints: see {@link Lineage}.
   *
   * @param host and {@code port} of the session's REST interface
   * @param checkpoints where checkpoints go
   * @param start where state comes from; empty for a new job
   * @throws IllegalStateException if Flink rejects it
   */
  public static FlinkJob submit(
      String host,
      int port,
      Settings settings,
      String checkpoints,
      Optional<StartingState> start,
      AdaptationJob.Input input) {
    Settings limited = RecordLimits.ofTopics(settings);
    JobID id = new JobID();
    Configuration configuration = JobConfiguration.of(limited, checkpoints, start);
    configuration.set(PipelineOptionsInternal.PIPELINE_FIXED_JOB_ID, id.toHexString());
    StreamExecutionEnvironment environment = new RemoteStreamEnvironment(host, port, configuration);
    environment.configure(configuration);
    AdaptationJob.define(
        environment,
        limited,
        new ExampleRules(ExampleLimits.example(limited)),
        input,
        // Which state it takes, if any, is decided by now.
        AdaptationJob.Beginning.ANEW);
    String name = settings.get(JobSettings.GROUP);
    Optional<JobStart> recorded = record(settings, id, checkpoints, start);
    try {
      return new FlinkJob(environment.executeAsync(name), host, port, recorded.isPresent());
    } catch (Exception e) {
      recorded.ifPresent(unused -> forgetUnlessRunning(host, port, name, checkpoints, unused));
      throw new IllegalStateException(
          "Flink at %s:%d does not take the job: %s".formatted(host, port, rootMessage(e)), e);
    }
  }

  /** Empty where this process cannot write there, as to a file system that only the cluster has. */
  private static Optional<JobStart> record(
      Settings settings, JobID id, String checkpoints, Optional<StartingState> start) {
    try {
      CheckpointDirectory directory = CheckpointDirectory.of(checkpoints);
      String name = settings.get(JobSettings.GROUP);
      long before =
          directory.starts(name).stream()
              .findFirst()
              .map(newest -> newest.start().number())
              .orElse(0L);
      JobStart record = JobStart.now(settings, id, before + 1, start);
      directory.record(record);
      return Optional.of(record);
    } catch (IOException e) {
      LOG.warn("Cannot record in {} that job {} starts", checkpoints, id, e);
      return Optional.empty();
    }
  }

  /** A start that did not take place must not count as the newest one. */
  private static void forgetUnlessRunning(
      String host, int port, String name, String checkpoints, JobStart start) {
    try (FlinkSession session = new FlinkSession(host, port)) {
      if (!session.running(name).contains(start.id())) {
        CheckpointDirectory.of(checkpoints).forget(start);
      }
    } catch (IOException | IllegalStateException e) {
      LOG.warn("The record of start {} stays: whether it took place is not known", start.id(), e);
    }
  }

  /** The first line of what the innermost cause of a failure says, to be part of a message. */
  public static String rootMessage(Throwable error) {
    Throwable root = error;
    while (root.getCause() != null) {
      root = root.getCause();
    }
    return String.valueOf(root.getMessage()).lines().findFirst().orElse(root.toString());
  }

  /** The id that Flink gave it. */
  public JobID id() {
    return client.getJobID();
  }

  /** Whether the start is on record beside its checkpoints, so that the next one finds them. */
  public boolean isRecorded() {
    return recorded;
  }

  /** Its failures, for the caller to close. */
  public JobHealth health() {
    return JobHealth.of(host, port, id());
  }

  /** Its status in Flink. */
  public JobStatus status() {
    return client.getJobStatus().join();
  }

  /** Completes when the job has ended; exceptionally where it failed. */
  public CompletableFuture<Void> finished() {
    return finished;
  }

  /**
   * Ends an unbounded job as if its input had ended: batches close, last versions are published,
   * all is committed.
   *
   * @return the savepoint's URI; a job that goes on from it reads what comes after
   */
  public String drain(Path savepoints) {
    return stop(savepoints, true);
  }

  /**
   * Stops the job where it is; what it has published is committed. Another job can continue from
   * there, at any parallelism.
   *
   * @return the savepoint's URI, see {@link StartingState#savepoint}
   */
  public String stop(Path savepoints) {
    return stop(savepoints, false);
  }

  private String stop(Path savepoints, boolean drain) {
    try {
      String savepoint =
          client
              .stopWithSavepoint(
                  drain, savepoints.toUri().toString(), SavepointFormatType.CANONICAL)
              .get();
      finished.join();
      return savepoint;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while the job stopped", e);
    } catch (ExecutionException | CompletionException e) {
      throw new IllegalStateException(
          "the job does not %s: %s".formatted(drain ? "drain" : "stop", rootMessage(e)), e);
    }
  }

  /**
   * @throws IllegalStateException where the job has failed
   */
  public void requireAlive() {
    if (finished.isCompletedExceptionally()) {
      try {
        finished.join();
      } catch (CompletionException e) {
        throw new IllegalStateException("the job failed: " + rootMessage(e), e);
      }
    }
  }
}
