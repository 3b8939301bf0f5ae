package io.millrace.pipeline.submission;

import io.millrace.client.kafka.Connection;
import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.job.JobOutput;
import java.io.IOException;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Optional;
import org.apache.flink.api.common.JobID;
import org.apache.flink.core.execution.RecoveryClaimMode;
import org.apache.flink.core.fs.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The current lineage of a job: the starts of that name that go on from one another, and the state
 * that they have come to. State belongs to a lineage, never to the highest number in a directory:
 * other jobs, and branches that were abandoned, have numbers too.
 *
 * <p>The lineage of the newest start is the current one, also before its first checkpoint: a start
 * without state, or from an older state, abandons the lineage before it. Checkpoints of earlier
 * builds have no record of their start. They count for the job whose name their metadata holds,
 * until the first start of that name is on record.
 */
public final class Lineage {
  private static final Logger LOG = LoggerFactory.getLogger(Lineage.class);

  private final CheckpointDirectory directory;
  private final String place;
  private final String job;
  private final List<JobStart> starts;
  private final Optional<StoredState> newest;
  private final Optional<JobStart> firstWithoutState;

  /** Without a record: all of them, or, where starts are on record, this job's that are newer. */
  private final List<StoredState> unrecorded;

  private Lineage(
      CheckpointDirectory directory,
      String place,
      String job,
      List<JobStart> starts,
      Optional<StoredState> newest,
      Optional<JobStart> firstWithoutState,
      List<StoredState> unrecorded) {
    this.directory = directory;
    this.place = place;
    this.job = job;
    this.starts = starts;
    this.newest = newest;
    this.firstWithoutState = firstWithoutState;
    this.unrecorded = unrecorded;
  }

  /**
   * Looks for it.
   *
   * @param directory a path, or the URI of a file system that Flink knows here
   * @param job the job's name
   * @throws IOException where the directory cannot be read
   */
  public static Lineage read(String directory, String job) throws IOException {
    CheckpointDirectory checkpoints = CheckpointDirectory.of(directory);
    List<CheckpointDirectory.Recorded> all = checkpoints.starts(job);
    List<StoredState> unrecorded = checkpoints.unrecorded();
    List<StoredState> ours = unrecorded.stream().filter(state -> state.isOf(job)).toList();
    if (all.isEmpty()) {
      return new Lineage(
          checkpoints,
          directory,
          job,
          List.of(),
          ours.stream().findFirst(),
          Optional.empty(),
          unrecorded);
    }
    CheckpointDirectory.Recorded last = all.get(0);
    List<JobStart> starts =
        all.stream()
            .map(CheckpointDirectory.Recorded::start)
            .filter(start -> start.lineage().equals(last.start().lineage()))
            .toList();
    Optional<StoredState> newest = Optional.empty();
    Optional<JobStart> withoutState = Optional.empty();
    for (JobStart start : starts) {
      newest = checkpoints.newest(start.id());
      if (newest.isPresent()) {
        break;
      }
      withoutState = Optional.of(start);
    }
    List<StoredState> newer =
        ours.stream().filter(state -> state.writtenAt() > last.writtenAt()).toList();
    return new Lineage(checkpoints, directory, job, starts, newest, withoutState, newer);
  }

  /**
   * Where it goes on; empty where nothing has been written that a start could go on from.
   *
   * @throws UsageException where a checkpoint of this job is newer than the lineage and not of it,
   *     as one of an earlier build is: only a person can tell which of both is to go on
   */
  public Optional<StartingState> latest() {
    if (!starts.isEmpty() && !unrecorded.isEmpty()) {
      throw new UsageException(
          "%s is a checkpoint of job %s that is newer than the job's last start on record, at %s: name the state to go on from with --from"
              .formatted(unrecorded.get(0).path(), job, time(starts.get(0).at())));
    }
    return newest.map(
        state ->
            new StartingState(
                state.path().toString(),
                state.isCheckpoint() ? RecoveryClaimMode.CLAIM : RecoveryClaimMode.NO_CLAIM,
                starts.stream().findFirst().map(JobStart::lineage)));
  }

  /**
   * Whether a start after the state of {@link #latest} has committed output: that start has lost
   * its state, or has come to its end, which deletes its checkpoints. A job that went on from here
   * would train on the same examples again.
   *
   * @throws IllegalStateException where Kafka does not answer
   */
  public boolean isBehind(Connection connection) {
    return starts.isEmpty() && newest.isEmpty()
        ? JobOutput.exists(connection)
        : firstWithoutState.isPresent()
            && JobOutput.existsSince(connection, firstWithoutState.get().at());
  }

  /**
   * The state that the next start of the job takes: the newest, or, where there is none yet, what
   * the lineage began with.
   *
   * @return empty for a start without state
   * @throws UsageException where output in Kafka has no state to go with it
   * @throws IllegalStateException where Kafka does not answer
   */
  Optional<StartingState> next(Connection connection) {
    Optional<StartingState> latest = latest();
    if (isBehind(connection)) {
      throw new UsageException(
          "%s holds no checkpoint%s, but a job has trained on this topic before%s: name its savepoint with --from, or train everything again with --from none"
              .formatted(
                  place,
                  firstWithoutState
                      .map(start -> " of job " + job + " since its start at " + time(start.at()))
                      .orElse(""),
                  unclaimed()));
    }
    return latest.isPresent() ? latest : beginning();
  }

  /** When its first start was; empty where no start is on record. */
  private Optional<Instant> began() {
    return first().map(JobStart::at);
  }

  /**
   * The state that it began with, for a start that is to begin as it did; empty where it began
   * without.
   */
  private Optional<StartingState> beginning() {
    return first().flatMap(JobStart::from).map(StartingState::savepoint);
  }

  private Optional<JobStart> first() {
    return starts.isEmpty() ? Optional.empty() : Optional.of(starts.get(starts.size() - 1));
  }

  /** What a start that goes on with another state leaves, in one line; empty for nothing. */
  Optional<String> leaving() {
    return newest
        .map(state -> "newest state is " + state.path() + ", which --from takes up again")
        .or(() -> first().map(start -> "state is none so far"))
        .map(
            state ->
                "It leaves what job %s has trained%s, whose %s"
                    .formatted(
                        job,
                        began().map(at -> " since the start at " + time(at)).orElse(""),
                        state));
  }

  /** What is to be said of the state of {@link #latest}, after its path; empty for nothing. */
  String remark() {
    return starts.isEmpty() && newest.isPresent()
        ? ", which an earlier build has written for a job of this name"
        : "";
  }

  /** Of the checkpoints that might be this job's and do not say so; empty for nothing. */
  private String unclaimed() {
    return starts.isEmpty() && newest.isEmpty() && !unrecorded.isEmpty()
        ? " (%s does not say that job %s wrote it)".formatted(unrecorded.get(0).path(), job)
        : "";
  }

  /**
   * Whose state a path holds, in words after the path: nothing where it is this job's or not known.
   */
  String writerOf(String state) {
    Path path = new Path(JobConfiguration.uri(state));
    Optional<JobStart> writer = writer(path);
    if (writer.isPresent()) {
      return writer.get().job().equals(job)
          ? ", from the start at " + time(writer.get().at())
          : ", which job " + writer.get().job() + " has written";
    }
    try {
      Optional<StoredState> stored = StoredState.read(path);
      return stored.isPresent() && !stored.get().isOf(job)
          ? ", which a job of another name has written"
          : "";
    } catch (IOException e) {
      return "";
    }
  }

  /** Empty, too, where the path cannot be looked up from here: Flink says then what is wrong. */
  private Optional<JobStart> writer(Path state) {
    try {
      return directory.writer(state);
    } catch (IOException e) {
      LOG.warn("Not known which job has written {}", state, e);
      return Optional.empty();
    }
  }

  /**
   * Checks that a job with these settings can read a state, as far as that is on record.
   *
   * @throws UsageException where it cannot
   */
  void requireReadable(StartingState state, Settings settings) {
    writer(new Path(JobConfiguration.uri(state.path())))
        .ifPresent(writer -> writer.requireReadable(settings, state.path()));
  }

  /** See {@link JobStart#changedMethods}, of the start that wrote a state. */
  List<String> changedMethods(StartingState state, Settings settings) {
    return writer(new Path(JobConfiguration.uri(state.path())))
        .map(writer -> writer.changedMethods(settings))
        .orElse(List.of());
  }

  /**
   * Records the savepoint that a start was stopped with, so that the next one goes on from it.
   *
   * @param directory of the job's checkpoints
   * @return whether that start is on record there
   */
  public static boolean recordStop(String directory, JobID start, String savepoint) {
    try {
      return CheckpointDirectory.of(directory).recordStop(start, savepoint);
    } catch (IOException e) {
      LOG.warn("Cannot record in {} that {} was stopped", directory, start, e);
      return false;
    }
  }

  private static String time(Instant at) {
    return at.truncatedTo(ChronoUnit.SECONDS).toString();
  }
}
