package io.millrace.pipeline.chaos;

import com.fasterxml.jackson.databind.JsonNode;
import io.millrace.client.Connection;
import io.millrace.pipeline.job.FlinkJob;
import io.millrace.pipeline.report.RunRecord;
import io.millrace.schemas.TrainingStep;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;

/** One training on a {@link ChaosRig}, watched through what it commits. */
final class Run implements AutoCloseable {
  private static final Duration POLL = Duration.ofMillis(50);

  private final ChaosRig rig;
  private final String name;
  private final long examples;
  private final RunRecord record;
  private FlinkJob job;
  private Instant failedAt;
  private Instant wentOnAt;
  private long restarts;
  private long restartsBefore;
  private Instant restartsAskedAt = Instant.MIN;

  Run(ChaosRig rig, String name, long examples, FlinkJob job) {
    this.rig = rig;
    this.name = name;
    this.examples = examples;
    this.job = job;
    this.record = new RunRecord(new Connection(rig.settings(name, 1)));
  }

  /** Something to wait for. */
  @FunctionalInterface
  interface Condition {
    boolean holds() throws Exception;
  }

  /** The job that trains now. */
  FlinkJob job() {
    return job;
  }

  /** Another job has taken over. */
  void goOnAs(FlinkJob successor) {
    job = successor;
    restartsBefore = restarts;
  }

  /** Reads what is committed until then; the test's timeout bounds the wait. */
  void until(Condition condition) throws Exception {
    while (!condition.holds()) {
      job.requireAlive();
      poll();
    }
  }

  /** Reads what is committed, for that long. */
  void pass(Duration time) throws Exception {
    Instant end = Instant.now().plus(time);
    until(() -> Instant.now().isAfter(end));
  }

  /** Until that part of the stream has been trained on and is committed, and more is to come. */
  void awaitPart(double part) throws Exception {
    until(() -> record.examples() >= examples * part);
    if (record.examples() >= examples || job.finished().isDone()) {
      throw new AssertionError("the stream was over before anything could fail");
    }
  }

  /** From now on, the next committed step is waited for. */
  void fails() {
    failedAt = Instant.now();
  }

  private void poll() {
    long before = record.examples();
    record.poll(POLL);
    if (record.examples() > before && failedAt != null && wentOnAt == null) {
      boolean trainedSince =
          record.domains().values().stream()
              .filter(domain -> !domain.steps().isEmpty())
              .map(domain -> domain.steps().get(domain.steps().size() - 1))
              .anyMatch(step -> step.getFinishedAt().isAfter(failedAt));
      if (trainedSince) {
        wentOnAt = Instant.now();
      }
    }
    askForRestarts();
  }

  private void askForRestarts() {
    if (restartsAskedAt.plusSeconds(1).isAfter(Instant.now())) {
      return;
    }
    restartsAskedAt = Instant.now();
    try {
      JsonNode metric = rig.flink().get("/jobs/" + job.id() + "/metrics?get=numRestarts");
      restarts = Math.max(restarts, restartsBefore + metric.path(0).path("value").asLong());
    } catch (IOException e) {
      // The job manager is away.
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Whether steps are committed that were taken after the failure. */
  boolean wentOn() {
    return wentOnAt != null;
  }

  /** Checkpoints of the job that could not be completed. */
  long failedCheckpoints() throws IOException, InterruptedException {
    return rig.flink()
        .get("/jobs/" + job.id() + "/checkpoints")
        .path("counts")
        .path("failed")
        .asLong();
  }

  /** Why it restarted, newest first, a line each. */
  List<String> causes() throws IOException, InterruptedException {
    JsonNode history =
        rig.flink()
            .get("/jobs/" + job.id() + "/exceptions?maxExceptions=5")
            .path("exceptionHistory")
            .path("entries");
    return history.findValuesAsText("stacktrace").stream().map(Run::causeOf).toList();
  }

  /** The innermost cause of a stack trace. */
  private static String causeOf(String trace) {
    String first = trace.lines().findFirst().orElse("");
    return trace
        .lines()
        .filter(line -> line.startsWith("Caused by: "))
        .reduce((outer, inner) -> inner)
        .orElse(first);
  }

  /** Waits for the stream's end; tells what came of it. */
  Outcome finish() throws Exception {
    until(() -> job.finished().isDone());
    job.requireAlive();
    record.readToEnd();
    List<Instant> finishedAt =
        record.domains().values().stream()
            .flatMap(domain -> domain.steps().stream())
            .map(TrainingStep::getFinishedAt)
            .sorted()
            .toList();
    Duration longest = Duration.ZERO;
    for (int i = 1; i < finishedAt.size(); i++) {
      Duration gap = Duration.between(finishedAt.get(i - 1), finishedAt.get(i));
      longest = gap.compareTo(longest) > 0 ? gap : longest;
    }
    return new Outcome(
        name,
        record.examples(),
        record.deadLetters().values().stream().mapToLong(Long::longValue).sum(),
        Chains.of(record),
        Duration.between(finishedAt.get(0), finishedAt.get(finishedAt.size() - 1)),
        longest,
        wentOnAt == null ? null : Duration.between(failedAt, wentOnAt),
        restarts);
  }

  @Override
  public void close() {
    record.close();
  }
}
