package io.millrace.pipeline.submission;

import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.flink.api.common.JobID;
import org.apache.flink.api.common.JobStatus;
import org.apache.flink.client.deployment.application.executors.EmbeddedExecutor;
import org.apache.flink.client.program.rest.RestClusterClient;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.DeploymentOptions;
import org.apache.flink.configuration.RestOptions;
import org.apache.flink.core.execution.SavepointFormatType;
import org.apache.flink.runtime.client.JobStatusMessage;
import org.apache.flink.runtime.messages.webmonitor.ClusterOverview;
import org.apache.flink.runtime.rest.messages.ClusterConfigurationInfoHeaders;
import org.apache.flink.runtime.rest.messages.ClusterOverviewHeaders;
import org.apache.flink.runtime.rest.messages.ConfigurationInfo;
import org.apache.flink.runtime.rest.messages.EmptyMessageParameters;
import org.apache.flink.runtime.rest.messages.EmptyRequestBody;

/** A Flink session, asked over its REST interface. */
public final class FlinkSession implements AutoCloseable {
  private static final int PATIENCE_SECONDS = 20;

  private final String host;
  private final int port;
  private final RestClusterClient<String> client;

  /**
   * Task slots of a session. Flink may start more task managers when a job needs them.
   *
   * @param total all of them
   * @param free those that no job has
   */
  public record Slots(int total, int free) {}

  /** Sends no request yet. */
  public FlinkSession(String host, int port) {
    this.host = host;
    this.port = port;
    Configuration configuration = new Configuration();
    configuration.set(RestOptions.ADDRESS, host);
    configuration.set(RestOptions.PORT, port);
    configuration.set(RestOptions.RETRY_MAX_ATTEMPTS, 3);
    try {
      client = new RestClusterClient<>(configuration, host + ":" + port);
    } catch (Exception e) {
      throw new IllegalStateException("no client for Flink at " + host + ":" + port, e);
    }
  }

  /**
   * Jobs of that name that have not ended.
   *
   * @throws IllegalStateException where no session answers there
   */
  public List<JobID> running(String name) {
    return jobs().stream()
        .filter(job -> job.getJobName().equals(name))
        .filter(job -> !job.getJobState().isGloballyTerminalState())
        .map(JobStatusMessage::getJobId)
        .toList();
  }

  /**
   * The status of a job; empty where the session does not know the job.
   *
   * @throws IllegalStateException where no session answers there
   */
  public Optional<JobStatus> status(JobID id) {
    return jobs().stream()
        .filter(job -> job.getJobId().equals(id))
        .map(JobStatusMessage::getJobState)
        .findFirst();
  }

  private Collection<JobStatusMessage> jobs() {
    return answer(client.listJobs());
  }

  /**
   * Its task slots.
   *
   * @throws IllegalStateException where no session answers there
   */
  public Slots slots() {
    ClusterOverview overview =
        answer(
            client.sendRequest(
                ClusterOverviewHeaders.getInstance(),
                EmptyMessageParameters.getInstance(),
                EmptyRequestBody.getInstance()));
    return new Slots(overview.getNumSlotsTotal(), overview.getNumSlotsAvailable());
  }

  /**
   * Whether it is there for the one job that its job manager runs as a program, and ends with it.
   *
   * @throws IllegalStateException where no session answers there
   */
  public boolean isApplication() {
    ConfigurationInfo configuration =
        answer(
            client.sendRequest(
                ClusterConfigurationInfoHeaders.getInstance(),
                EmptyMessageParameters.getInstance(),
                EmptyRequestBody.getInstance()));
    return configuration.stream()
        .anyMatch(
            entry ->
                entry.getKey().equals(DeploymentOptions.TARGET.key())
                    && entry.getValue().equals(EmbeddedExecutor.NAME));
  }

  /**
   * Stops a job with a savepoint, from which it can go on, at any parallelism.
   *
   * @param drain whether its input counts as ended: open batches close, and the last versions are
   *     published
   * @param savepoints the directory for the savepoint: a path or URI that the cluster can write to
   * @return completes with the savepoint's URI; or exceptionally, and the job goes on
   */
  public CompletableFuture<String> stop(JobID id, boolean drain, String savepoints) {
    return client.stopWithSavepoint(
        id, drain, JobConfiguration.uri(savepoints), SavepointFormatType.CANONICAL);
  }

  /** Ends a job without a savepoint; its checkpoints stay. */
  public void cancel(JobID id) {
    answer(client.cancel(id));
  }

  private <T> T answer(CompletableFuture<T> question) {
    try {
      return question.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while Flink was asked", e);
    } catch (ExecutionException | TimeoutException e) {
      throw new IllegalStateException(
          "no Flink session answers at %s:%d: %s".formatted(host, port, FlinkJob.rootMessage(e)),
          e);
    }
  }

  @Override
  public void close() {
    client.close();
  }
}
