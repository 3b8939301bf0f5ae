package io.millrace.pipeline.submission;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import org.apache.flink.api.common.JobID;
import org.apache.flink.core.fs.FileStatus;
import org.apache.flink.core.fs.FileSystem;
import org.apache.flink.core.fs.FileSystem.WriteMode;
import org.apache.flink.core.fs.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The directory that jobs write their checkpoints to. Flink gives each start of a job a folder
 * there, named by the start's id:
 *
 * <pre>
 * 5f0c.../start.json      whose it is: a {@link JobStart}, written before the job is submitted
 * 5f0c.../chk-12          a checkpoint
 * 5f0c.../savepoint.txt   where the savepoint is that this start was stopped with
 * </pre>
 *
 * <p>No file is ever changed. There is one folder for each start, as there always was with Flink;
 * whoever abandons a lineage may delete its folders.
 */
final class CheckpointDirectory {
  private static final Logger LOG = LoggerFactory.getLogger(CheckpointDirectory.class);
  private static final String START = "start.json";
  private static final String SAVEPOINT = "savepoint.txt";
  private static final int LARGEST_FILE = 1 << 20;

  private final Path root;

  private CheckpointDirectory(Path root) {
    this.root = root;
  }

  /**
   * @param directory a path, or the URI of a file system
   */
  static CheckpointDirectory of(String directory) {
    return new CheckpointDirectory(new Path(JobConfiguration.uri(directory)));
  }

  /** What is known of a start. */
  record Recorded(JobStart start, long writtenAt) {}

  /**
   * The starts of a job that are on record, newest first.
   *
   * @throws IOException where the directory cannot be read
   */
  List<Recorded> starts(String job) throws IOException {
    List<Recorded> starts = new ArrayList<>();
    for (Path folder : folders()) {
      start(folder).filter(each -> each.start().job().equals(job)).ifPresent(starts::add);
    }
    starts.sort(
        Comparator.comparingLong((Recorded each) -> each.start().number())
            .thenComparing(each -> each.start().at())
            .reversed());
    return starts;
  }

  /** Complete checkpoints in folders of which no start is on record, highest number first. */
  List<StoredState> unrecorded() throws IOException {
    List<StoredState> found = new ArrayList<>();
    for (Path folder : folders()) {
      if (!files().exists(new Path(folder, START))) {
        newest(folder).ifPresent(found::add);
      }
    }
    found.sort(Comparator.comparingLong((StoredState each) -> each.number()).reversed());
    return found;
  }

  /**
   * Where a start has left its state: the savepoint that it was stopped with, or else its newest
   * complete checkpoint.
   */
  Optional<StoredState> newest(JobID start) throws IOException {
    Optional<StoredState> savepoint = savepoint(start);
    return savepoint.isPresent() ? savepoint : newest(folder(start));
  }

  /** The start that wrote a checkpoint or savepoint, if that is on record here. */
  Optional<JobStart> writer(Path state) throws IOException {
    for (Path folder : folders()) {
      boolean inside = state.getParent() != null && state.getParent().equals(folder);
      if (inside || savepointPath(folder).map(Path::new).filter(state::equals).isPresent()) {
        return start(folder).map(Recorded::start);
      }
    }
    return Optional.empty();
  }

  /** Writes a start's record; once. */
  void record(JobStart start) throws IOException {
    write(new Path(folder(start.id()), START), start.toJson());
  }

  /** Removes the record of a start that never took place. */
  void forget(JobStart start) throws IOException {
    files().delete(new Path(folder(start.id()), START), false);
    files().delete(folder(start.id()), false);
  }

  /**
   * Records the savepoint that a start was stopped with; false where the start is not on record.
   */
  boolean recordStop(JobID start, String savepoint) throws IOException {
    if (start(folder(start)).isEmpty()) {
      return false;
    }
    write(new Path(folder(start), SAVEPOINT), savepoint.getBytes(StandardCharsets.UTF_8));
    return true;
  }

  private Optional<StoredState> savepoint(JobID start) throws IOException {
    Optional<String> path = savepointPath(folder(start));
    return path.isEmpty() ? Optional.empty() : StoredState.read(new Path(path.get()));
  }

  private Optional<String> savepointPath(Path folder) throws IOException {
    Path file = new Path(folder, SAVEPOINT);
    return files().exists(file)
        ? Optional.of(new String(read(file), StandardCharsets.UTF_8))
        : Optional.empty();
  }

  private Optional<StoredState> newest(Path folder) throws IOException {
    if (!files().exists(folder)) {
      return Optional.empty();
    }
    List<Path> newestFirst = new ArrayList<>();
    for (FileStatus checkpoint : files().listStatus(folder)) {
      if (StoredState.number(checkpoint.getPath()) >= 0) {
        newestFirst.add(checkpoint.getPath());
      }
    }
    newestFirst.sort(Comparator.comparingLong((Path each) -> StoredState.number(each)).reversed());
    for (Path checkpoint : newestFirst) {
      Optional<StoredState> state = StoredState.read(checkpoint);
      if (state.isPresent()) {
        return state;
      }
    }
    return Optional.empty();
  }

  private Optional<Recorded> start(Path folder) throws IOException {
    Path file = new Path(folder, START);
    if (!files().exists(file)) {
      return Optional.empty();
    }
    try {
      JobStart start = JobStart.fromJson(JobID.fromHexString(folder.getName()), read(file));
      return Optional.of(new Recorded(start, files().getFileStatus(file).getModificationTime()));
    } catch (IOException | IllegalArgumentException e) {
      // Cut off while it was written, before the job was submitted.
      LOG.warn("Leaving out {}: it does not read", file, e);
      return Optional.empty();
    }
  }

  private List<Path> folders() throws IOException {
    if (!files().exists(root)) {
      return List.of();
    }
    List<Path> folders = new ArrayList<>();
    for (FileStatus entry : files().listStatus(root)) {
      if (entry.isDir()) {
        folders.add(entry.getPath());
      }
    }
    return folders;
  }

  private Path folder(JobID start) {
    return new Path(root, start.toHexString());
  }

  private FileSystem files() throws IOException {
    return root.getFileSystem();
  }

  private byte[] read(Path file) throws IOException {
    try (InputStream in = files().open(file)) {
      return in.readNBytes(LARGEST_FILE);
    }
  }

  private void write(Path file, byte[] bytes) throws IOException {
    files().mkdirs(file.getParent());
    try (OutputStream out = files().create(file, WriteMode.NO_OVERWRITE)) {
      out.write(bytes);
    }
  }
}
