package io.millrace.pipeline.submission;

import java.io.IOException;
import java.util.Optional;
import org.apache.flink.api.common.JobID;
import org.apache.flink.core.execution.RecoveryClaimMode;

/**
 * The checkpoint or savepoint that a job starts from.
 *
 * @param path directory or metadata file of a checkpoint or savepoint
 * @param claimMode whether Flink may delete it once it is no longer needed
 * @param lineage the lineage that goes on with it; empty where a new one begins
 */
public record StartingState(String path, RecoveryClaimMode claimMode, Optional<JobID> lineage) {

  /** A savepoint, or an older checkpoint; Flink does not delete it, and a new lineage begins. */
  public static StartingState savepoint(String path) {
    return new StartingState(path, RecoveryClaimMode.NO_CLAIM, Optional.empty());
  }

  /**
   * Where the current lineage of a job goes on; the job takes ownership of a checkpoint.
   *
   * @param directory a path, or the URI of a file system that Flink knows here
   * @param job the job's name
   * @throws IOException where the directory cannot be read
   */
  public static Optional<StartingState> latest(String directory, String job) throws IOException {
    return Lineage.read(directory, job).latest();
  }
}
