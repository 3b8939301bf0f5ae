package io.millrace.benchmarks.domains;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The files of a job's checkpoints, looked at again and again: Flink deletes them as newer
 * checkpoints come. What comes and goes between two looks is missed.
 */
final class CheckpointFiles {
  /** Written when a checkpoint is complete. */
  private static final Pattern COMPLETE = Pattern.compile(".*/chk-\\d+/_metadata");

  private final Path directory;
  private final Map<Path, Long> written = new HashMap<>();
  private final TreeMap<Long, Path> completed = new TreeMap<>();
  private long size;

  /**
   * @param directory that need not exist yet
   */
  CheckpointFiles(Path directory) {
    this.directory = directory;
  }

  /** Notes what is there now. */
  void look() {
    long now = System.currentTimeMillis();
    long sum = 0;
    if (!Files.isDirectory(directory)) {
      return;
    }
    try (Stream<Path> tree = Files.walk(directory)) {
      for (Path file : (Iterable<Path>) tree::iterator) {
        long bytes = size(file);
        sum += bytes;
        if (bytes > 0 && written.merge(file, bytes, Math::max) == bytes) {
          noteComplete(file, now);
        }
      }
    } catch (IOException | UncheckedIOException e) {
      // A directory was deleted meanwhile; the next look sees the rest.
      return;
    }
    size = sum;
  }

  private void noteComplete(Path file, long now) {
    if (COMPLETE.matcher(file.toString()).matches() && !completed.containsValue(file)) {
      completed.put(now, file);
    }
  }

  private static long size(Path file) {
    try {
      return Files.isRegularFile(file) ? Files.size(file) : 0;
    } catch (IOException e) {
      return 0;
    }
  }

  /** Bytes of all files that there were at the last look. */
  long size() {
    return size;
  }

  /** Bytes of all files that ever were. */
  long written() {
    return written.values().stream().mapToLong(Long::longValue).sum();
  }

  /** Checkpoints that were complete. */
  int completed() {
    return completed.size();
  }

  /** Number of the checkpoint that completed next after a time in ms of the epoch, from 0. */
  int after(long millis) {
    return completed.headMap(millis, true).size();
  }
}
