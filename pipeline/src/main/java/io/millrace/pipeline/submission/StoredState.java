package io.millrace.pipeline.submission;

import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.flink.core.fs.FileSystem;
import org.apache.flink.core.fs.Path;
import org.apache.flink.runtime.checkpoint.Checkpoints;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A complete checkpoint or savepoint on a file system.
 *
 * @param path its directory
 * @param number Flink's count of checkpoints and savepoints, which goes on across the starts of a
 *     lineage
 * @param writtenAt when its metadata was written, by the file system's clock; milliseconds since
 *     1970
 * @param metadata the bytes of its metadata file
 */
record StoredState(Path path, long number, long writtenAt, byte[] metadata) {
  private static final Logger LOG = LoggerFactory.getLogger(StoredState.class);
  private static final String METADATA = "_metadata";
  private static final Pattern CHECKPOINT = Pattern.compile("chk-(\\d+)");

  /** More than the metadata of any job: what is larger is none. */
  private static final long LARGEST = 256L << 20;

  /** Of a checkpoint's directory; -1 where the name is that of something else. */
  static long number(Path directory) {
    Matcher name = CHECKPOINT.matcher(directory.getName());
    return name.matches() ? Long.parseLong(name.group(1)) : -1;
  }

  /**
   * Reads it; empty where it is not there, or not complete. A checkpoint with unreadable metadata
   * was interrupted while it was written: it never completed and nothing of it was committed to
   * Kafka, so the one before it is the right one.
   */
  static Optional<StoredState> read(Path directory) throws IOException {
    FileSystem files = directory.getFileSystem();
    Path file = new Path(directory, METADATA);
    if (!files.exists(file)) {
      return Optional.empty();
    }
    long length = files.getFileStatus(file).getLen();
    if (length > LARGEST) {
      return Optional.empty();
    }
    try (InputStream in = files.open(file)) {
      byte[] bytes = in.readNBytes((int) length);
      long number =
          Checkpoints.loadCheckpointMetadata(
                  new DataInputStream(new ByteArrayInputStream(bytes)),
                  StoredState.class.getClassLoader(),
                  directory.toString())
              .getCheckpointId();
      long writtenAt = files.getFileStatus(file).getModificationTime();
      return Optional.of(new StoredState(directory, number, writtenAt, bytes));
    } catch (IOException | RuntimeException e) {
      LOG.warn("Leaving out checkpoint {}: its metadata does not read", directory, e);
      return Optional.empty();
    }
  }

  /** Whether it is a checkpoint of Flink's; otherwise a savepoint, which belongs to its user. */
  boolean isCheckpoint() {
    return number(path) >= 0;
  }

  /**
   * Whether a job of that name wrote it. The transactional sink keeps the prefix of its
   * transactions, which is the job's name, in its state: a version, the length of the state, and
   * the prefix as Java writes text. State that small is part of the metadata.
   */
  boolean isOf(String job) {
    byte[] name = job.getBytes(StandardCharsets.UTF_8);
    ByteBuffer bytes = ByteBuffer.wrap(metadata);
    int header = Integer.BYTES + Integer.BYTES + Short.BYTES;
    for (int at = 0; at + header + name.length <= metadata.length; at++) {
      int version = bytes.getInt(at);
      int length = bytes.getInt(at + Integer.BYTES);
      if (version > 0
          && version < 16
          && length >= Short.BYTES + name.length
          && length <= metadata.length
          && bytes.getShort(at + header - Short.BYTES) == name.length
          && ByteBuffer.wrap(metadata, at + header, name.length).equals(ByteBuffer.wrap(name))) {
        return true;
      }
    }
    return false;
  }
}
