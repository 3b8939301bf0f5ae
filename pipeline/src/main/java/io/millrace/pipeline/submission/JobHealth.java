package io.millrace.pipeline.submission;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.flink.api.common.JobID;
import org.apache.flink.api.common.JobStatus;
import org.apache.flink.client.program.rest.RestClusterClient;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.RestOptions;
import org.apache.flink.runtime.execution.ExecutionState;
import org.apache.flink.runtime.rest.messages.EmptyRequestBody;
import org.apache.flink.runtime.rest.messages.JobExceptionsHeaders;
import org.apache.flink.runtime.rest.messages.JobExceptionsInfoWithHistory.RootExceptionInfo;
import org.apache.flink.runtime.rest.messages.JobMessageParameters;
import org.apache.flink.runtime.rest.messages.checkpoints.CheckpointStatistics.CompletedCheckpointStatistics;
import org.apache.flink.runtime.rest.messages.checkpoints.CheckpointStatistics.FailedCheckpointStatistics;
import org.apache.flink.runtime.rest.messages.checkpoints.CheckpointingStatistics;
import org.apache.flink.runtime.rest.messages.checkpoints.CheckpointingStatistics.LatestCheckpoints;
import org.apache.flink.runtime.rest.messages.checkpoints.CheckpointingStatisticsHeaders;
import org.apache.flink.runtime.rest.messages.job.JobDetailsInfo.JobVertexDetailsInfo;
import org.apache.flink.runtime.rest.messages.job.JobExceptionsMessageParameters;

/**
 * Failures, tasks and checkpoints of a job, as Flink reports them. A call takes ten seconds at
 * most.
 */
public final class JobHealth implements AutoCloseable {
  private static final int PATIENCE_SECONDS = 10;

  private final RestClusterClient<String> client;
  private final JobID job;

  /**
   * One failure that ended an attempt to run the job.
   *
   * @param timestamp when, in milliseconds since 1970
   * @param task what failed, such as {@code adapt}; empty where it was the job as a whole
   * @param cause name of the innermost cause's class, without its package
   * @param reason the innermost cause in one line
   */
  public record Failure(long timestamp, String task, String cause, String reason) {
    /** Causes that lie outside of the job and its input. */
    private static final Set<String> MAY_PASS =
        Set.of(
            "TimeoutException",
            "DisconnectException",
            "NetworkException",
            "ConnectException",
            "UnknownHostException",
            "NoRouteToHostException",
            "LocalTransportException",
            "RemoteTransportException",
            "NoResourceAvailableException");

    /** Whether it may be over by itself, as when Kafka does not answer. */
    boolean mayPass() {
      return MAY_PASS.contains(cause);
    }

    @Override
    public String toString() {
      return task.isEmpty() ? reason : task + ": " + reason;
    }
  }

  /**
   * A job's checkpoints, since it was submitted.
   *
   * @param completed how many were completed
   * @param failed how many were not; one that a restart cut off is among them
   * @param lastFailure what Flink says of the last, where that failed; of one that it could not
   *     even begin it says nothing
   */
  public record Checkpoints(long completed, long failed, Optional<String> lastFailure) {}

  private JobHealth(RestClusterClient<String> client, JobID job) {
    this.client = client;
    this.job = job;
  }

  /** For a job on the session whose REST interface is there; sends no request yet. */
  public static JobHealth of(String host, int port, JobID job) {
    Configuration configuration = new Configuration();
    configuration.set(RestOptions.ADDRESS, host);
    configuration.set(RestOptions.PORT, port);
    configuration.set(RestOptions.RETRY_MAX_ATTEMPTS, 1);
    try {
      return new JobHealth(new RestClusterClient<>(configuration, host + ":" + port), job);
    } catch (Exception e) {
      throw new IllegalStateException("no client for Flink at " + host + ":" + port, e);
    }
  }

  /**
   * The last failures, oldest first. Flink keeps 16 unless told otherwise.
   *
   * @throws TimeoutException where Flink does not answer
   */
  public List<Failure> failures() throws TimeoutException {
    JobExceptionsMessageParameters parameters = new JobExceptionsMessageParameters();
    parameters.jobPathParameter.resolve(job);
    List<Failure> failures = new ArrayList<>();
    answer(
            client.sendRequest(
                JobExceptionsHeaders.getInstance(), parameters, EmptyRequestBody.getInstance()))
        .getExceptionHistory()
        .getEntries()
        .forEach(entry -> failures.add(failure(entry)));
    Collections.reverse(failures);
    return failures;
  }

  /**
   * Whether each of its tasks runs, or has come to its end; a job counts as running as soon as they
   * are to be.
   *
   * @throws TimeoutException where Flink does not answer
   */
  public boolean allTasksRun() throws TimeoutException {
    return answer(client.getJobDetails(job)).getJobVertexInfos().stream()
        .map(JobVertexDetailsInfo::getExecutionState)
        .allMatch(state -> state == ExecutionState.RUNNING || state == ExecutionState.FINISHED);
  }

  /**
   * @throws TimeoutException where Flink does not answer
   */
  public JobStatus status() throws TimeoutException {
    return answer(client.getJobStatus(job));
  }

  /**
   * @throws TimeoutException where Flink does not answer
   */
  public Checkpoints checkpoints() throws TimeoutException {
    JobMessageParameters parameters = new JobMessageParameters();
    parameters.jobPathParameter.resolve(job);
    CheckpointingStatistics statistics =
        answer(
            client.sendRequest(
                CheckpointingStatisticsHeaders.getInstance(),
                parameters,
                EmptyRequestBody.getInstance()));
    return new Checkpoints(
        statistics.getCounts().getNumberCompletedCheckpoints(),
        statistics.getCounts().getNumberFailedCheckpoints(),
        lastFailure(statistics.getLatestCheckpoints()));
  }

  private static Optional<String> lastFailure(LatestCheckpoints latest) {
    CompletedCheckpointStatistics completed = latest.getCompletedCheckpointStatistics();
    return Optional.ofNullable(latest.getFailedCheckpointStatistics())
        .filter(failed -> completed == null || failed.getId() > completed.getId())
        .map(FailedCheckpointStatistics::getFailureMessage);
  }

  private static Failure failure(RootExceptionInfo entry) {
    return new Failure(
        entry.getTimestamp(),
        taskOf(entry.getTaskName()),
        nameOf(rootLine(entry.getStacktrace())),
        rootOf(entry.getStacktrace()));
  }

  /** Without the subtask and attempt that Flink appends: {@code adapt (1/1) - execution #3}. */
  static String taskOf(String taskName) {
    return taskName == null ? "" : taskName.replaceAll(" \\(\\d+/\\d+\\).*", "");
  }

  /**
   * The message of the last cause in a stack trace, after the exception's name where it is none or
   * a single word, as a bare path is.
   */
  static String rootOf(String stackTrace) {
    String root = rootLine(stackTrace);
    int colon = root.indexOf(": ");
    String message = colon < 0 ? "" : root.substring(colon + 2).strip();
    return message.contains(" ") ? message : root.substring(classStart(root));
  }

  private static String rootLine(String stackTrace) {
    return stackTrace
        .lines()
        .filter(line -> line.startsWith("Caused by: "))
        .reduce((outer, inner) -> inner)
        .map(line -> line.substring("Caused by: ".length()))
        .orElseGet(() -> stackTrace.lines().findFirst().orElse("no reason given"));
  }

  private static String nameOf(String root) {
    int colon = root.indexOf(": ");
    return root.substring(classStart(root), colon < 0 ? root.length() : colon);
  }

  /** Where the name of the exception's class begins, after its package. */
  private static int classStart(String root) {
    int colon = root.indexOf(": ");
    return root.lastIndexOf('.', colon < 0 ? root.length() : colon) + 1;
  }

  private static <T> T answer(CompletableFuture<T> question) throws TimeoutException {
    try {
      return question.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    } catch (ExecutionException e) {
      TimeoutException unanswered = new TimeoutException("Flink does not answer: " + e.getCause());
      unanswered.initCause(e);
      throw unanswered;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new TimeoutException("interrupted while Flink was asked");
    }
  }

  @Override
  public void close() {
    client.close();
  }
}
