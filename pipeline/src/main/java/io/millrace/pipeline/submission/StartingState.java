package io.millrace.pipeline.submission;

import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.flink.core.execution.RecoveryClaimMode;
import org.apache.flink.core.fs.FileStatus;
import org.apache.flink.core.fs.FileSystem;
import org.apache.flink.core.fs.Path;
import org.apache.flink.runtime.checkpoint.Checkpoints;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The checkpoint or savepoint that a job starts from.
 *
 * @param path directory or metadata file of a checkpoint or savepoint
 * @param claimMode whether Flink may delete it once it is no longer needed
 */
public record StartingState(String path, RecoveryClaimMode claimMode) {
  private static final Logger LOG = LoggerFactory.getLogger(StartingState.class);
  private static final Pattern CHECKPOINT = Pattern.compile("chk-(\\d+)");

  /** A savepoint; Flink does not delete it. */
  public static StartingState savepoint(String path) {
    return new StartingState(path, RecoveryClaimMode.NO_CLAIM);
  }

  /**
   * The newest complete checkpoint below a directory; the job takes ownership of it.
   *
   * <p>Checkpoints count up across restarts, so the highest number is the newest. A checkpoint with
   * unreadable metadata was interrupted while it was written. It never completed and nothing of it
   * was committed to Kafka, so the one before it is the right one.
   *
   * @param directory a path, or the URI of a file system that Flink knows here
   */
  public static Optional<StartingState> latestCheckpoint(String directory) throws IOException {
    Path root = new Path(JobConfiguration.uri(directory));
    FileSystem files = root.getFileSystem();
    if (!files.exists(root)) {
      return Optional.empty();
    }
    List<Path> newestFirst = new ArrayList<>();
    for (FileStatus job : files.listStatus(root)) {
      if (job.isDir()) {
        for (FileStatus checkpoint : files.listStatus(job.getPath())) {
          if (number(checkpoint.getPath()) >= 0) {
            newestFirst.add(checkpoint.getPath());
          }
        }
      }
    }
    newestFirst.sort(Comparator.comparingLong(StartingState::number).reversed());
    for (Path checkpoint : newestFirst) {
      if (complete(files, checkpoint)) {
        return Optional.of(new StartingState(checkpoint.toString(), RecoveryClaimMode.CLAIM));
      }
    }
    return Optional.empty();
  }

  private static long number(Path path) {
    Matcher name = CHECKPOINT.matcher(path.getName());
    return name.matches() ? Long.parseLong(name.group(1)) : -1;
  }

  private static boolean complete(FileSystem files, Path checkpoint) throws IOException {
    Path metadata = new Path(checkpoint, "_metadata");
    if (!files.exists(metadata)) {
      return false;
    }
    try (DataInputStream in = new DataInputStream(new BufferedInputStream(files.open(metadata)))) {
      Checkpoints.loadCheckpointMetadata(
          in, StartingState.class.getClassLoader(), checkpoint.toString());
      return true;
    } catch (IOException | RuntimeException e) {
      LOG.warn("Leaving out checkpoint {}: its metadata does not read", checkpoint, e);
      return false;
    }
  }
}
