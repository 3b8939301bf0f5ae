package io.millrace.pipeline.chaos;

import com.fasterxml.jackson.databind.JsonNode;
import io.millrace.client.kafka.Connection;
import io.millrace.pipeline.report.RunRecord;
import io.millrace.pipeline.submission.FlinkJob;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.TrainingStep;
import io.millrace.testing.Await;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** One training on a {@link ChaosRig}, watched through what it commits. */
final class Run implements AutoCloseable {
  private static final Duration POLL = Duration.ofMillis(50);

  /** Longer than any test: each has a timeout of its own. */
  private static final Duration PATIENCE = Duration.ofMinutes(10);

  private static final int LONGEST_CAUSE = 300;

  private final ChaosRig rig;
  private final String name;
  private final long examples;
  private RunRecord record;
  private Chains chains;
  private List<Instant> finishedAt;
  private FlinkJob job;
  private Instant failedAt;
  private boolean wentOn = true;
  private Duration longestUntilNext;
  private long restarts;
  private long restartsBefore;
  private List<String> earlierCauses = List.of();
  private Instant restartsAskedAt = Instant.MIN;

  Run(ChaosRig rig, String name, long examples, FlinkJob job) {
    this.rig = rig;
    this.name = name;
    this.examples = examples;
    this.job = job;
    read();
  }

  /** Reads what is committed, from its beginning. */
  void read() {
    chains = new Chains();
    finishedAt = new ArrayList<>();
    record =
        new RunRecord(
            new Connection(rig.settings(name, 1)),
            new RunRecord.Listener() {
              @Override
              public void took(TrainingStep step) {
                chains.took(step);
                finishedAt.add(step.getFinishedAt());
              }

              @Override
              public void took(AdapterVersion version) {
                chains.took(version);
              }
            });
  }

  /** Lets go of the topics; {@link #read} opens them again. */
  void stopReading() {
    record.close();
    record = null;
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
  void goOnAs(FlinkJob successor) throws IOException, InterruptedException {
    earlierCauses = causes();
    job = successor;
    restartsBefore = restarts;
  }

  /** Reads what is committed until then; the test's timeout bounds the wait. */
  void until(String what, Condition condition) throws Exception {
    Await.until(
        what,
        PATIENCE,
        () -> {
          if (condition.holds()) {
            return true;
          }
          job.requireAlive();
          poll();
          return false;
        });
  }

  /** Reads what is committed until the job has failed for good; says why. */
  String untilFailed() throws Exception {
    Await.until(
        "the job has failed for good",
        PATIENCE,
        () -> {
          poll();
          return job.finished().isDone();
        });
    try {
      job.requireAlive();
    } catch (IllegalStateException e) {
      return e.getMessage();
    }
    throw new AssertionError("the job has ended as if nothing had happened");
  }

  /** Reads what is committed, for that long. */
  void pass(Duration time) throws Exception {
    Instant end = Instant.now().plus(time);
    until(time + " pass", () -> Instant.now().isAfter(end));
  }

  /** Until that part of the stream has been trained on and is committed, and more is to come. */
  void awaitPart(double part) throws Exception {
    until(
        "%.0f %% of the stream is trained on".formatted(100 * part),
        () -> record.examples() >= examples * part);
    if (isOver() || job.finished().isDone()) {
      throw new AssertionError("the stream was over before anything could fail");
    }
  }

  /** From now on, the next committed step is waited for. */
  void fails() {
    failedAt = Instant.now();
    wentOn = false;
  }

  private void poll() {
    askForRestarts();
    if (record == null) {
      return;
    }
    int before = finishedAt.size();
    record.poll(POLL);
    if (!wentOn) {
      boolean trainedSince =
          finishedAt.subList(before, finishedAt.size()).stream()
              .anyMatch(finished -> finished.isAfter(failedAt));
      if (trainedSince) {
        wentOn = true;
        Duration untilNext = Duration.between(failedAt, Instant.now());
        longestUntilNext = longer(longestUntilNext, untilNext);
      }
    }
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
    return wentOn;
  }

  /** Whether the whole stream is trained on and committed. */
  boolean isOver() {
    return record.examples() >= examples;
  }

  /** Checkpoints of the job that could not be completed. */
  long failedCheckpoints() throws IOException, InterruptedException {
    return rig.flink()
        .get("/jobs/" + job.id() + "/checkpoints")
        .path("counts")
        .path("failed")
        .asLong();
  }

  /** Dead letters so far, by error class. */
  Map<String, Long> deadLetters() {
    return record.deadLetters();
  }

  /** How often the job has restarted. */
  long restarts() {
    return restarts;
  }

  /** Why it restarted or failed, newest first: each from the outermost cause to the innermost. */
  List<String> causes() throws IOException, InterruptedException {
    JsonNode history =
        rig.flink()
            .get("/jobs/" + job.id() + "/exceptions?maxExceptions=5")
            .path("exceptionHistory")
            .path("entries");
    return Stream.concat(
            history.findValuesAsText("stacktrace").stream().map(Run::causeOf),
            earlierCauses.stream())
        .toList();
  }

  private static String causeOf(String trace) {
    return trace
        .lines()
        .filter(line -> !line.startsWith("\t"))
        .map(line -> line.length() > LONGEST_CAUSE ? line.substring(0, LONGEST_CAUSE) : line)
        .collect(Collectors.joining(" | "));
  }

  /** Waits for the stream's end; tells what came of it. */
  Outcome finish() throws Exception {
    until("the job has come to its end", () -> job.finished().isDone());
    job.requireAlive();
    record.readToEnd();
    finishedAt.sort(null);
    Duration longest = Duration.ZERO;
    for (int i = 1; i < finishedAt.size(); i++) {
      longest = longer(longest, Duration.between(finishedAt.get(i - 1), finishedAt.get(i)));
    }
    return new Outcome(
        name,
        record.examples(),
        record.deadLetters().values().stream().mapToLong(Long::longValue).sum(),
        chains,
        Duration.between(finishedAt.get(0), finishedAt.get(finishedAt.size() - 1)),
        longest,
        longestUntilNext,
        restarts);
  }

  private static Duration longer(Duration one, Duration other) {
    return one == null || other.compareTo(one) > 0 ? other : one;
  }

  /** Ends the job, where a test has failed before its end. */
  @Override
  public void close() throws Exception {
    if (!job.finished().isDone()) {
      rig.flink().cancel(job.id());
    }
    if (record != null) {
      record.close();
    }
  }
}
