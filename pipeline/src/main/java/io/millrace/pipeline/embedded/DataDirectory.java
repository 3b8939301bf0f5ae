package io.millrace.pipeline.embedded;

import io.millrace.client.process.PrivateDirectories;
import io.millrace.client.process.UsageException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Comparator;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Predicate;
import java.util.stream.Stream;

/**
 * The lock of one process on a directory. The operating system releases it when the process ends,
 * in any way.
 */
final class DataDirectory implements AutoCloseable {
  static final String LOCK = "stack.lock";

  /**
   * The directories that this process holds. POSIX drops a process's lock as soon as it closes any
   * descriptor of the file, so a second attempt from within must not even open it.
   */
  private static final Set<Path> HELD = ConcurrentHashMap.newKeySet();

  private final Path path;
  private final FileChannel channel;

  private DataDirectory(Path path, FileChannel channel) {
    this.path = path;
    this.channel = channel;
  }

  /**
   * Takes {@code path}, and makes it where it is missing.
   *
   * @throws UsageException where another process has it, or this user cannot write there
   */
  static DataDirectory take(Path path) {
    try {
      Path directory = PrivateDirectories.create(path.toAbsolutePath()).toRealPath();
      if (!HELD.add(directory)) {
        throw inUse(directory, String.valueOf(ProcessHandle.current().pid()));
      }
      try {
        return new DataDirectory(directory, lock(directory));
      } catch (IOException | RuntimeException e) {
        HELD.remove(directory);
        throw e;
      }
    } catch (IOException e) {
      throw new UsageException("data directory " + path + " cannot be used: " + e, e);
    }
  }

  Path resolve(String name) {
    return path.resolve(name);
  }

  /** Deletes what is in it, but for files and folders whose names are to be kept. */
  void clear(Predicate<String> kept) throws IOException {
    try (Stream<Path> children = Files.list(path)) {
      for (Path child : children.toList()) {
        if (!kept.test(child.getFileName().toString())) {
          delete(child);
        }
      }
    }
  }

  private static void delete(Path path) throws IOException {
    try (Stream<Path> tree = Files.walk(path)) {
      for (Path each : tree.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(each);
      }
    }
  }

  @Override
  public void close() {
    try {
      channel.close();
    } catch (IOException e) {
      throw new UncheckedIOException("cannot let go of data directory " + path, e);
    } finally {
      HELD.remove(path);
    }
  }

  private static FileChannel lock(Path directory) throws IOException {
    Path file = directory.resolve(LOCK);
    FileChannel channel =
        FileChannel.open(
            file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
    try {
      if (channel.tryLock() == null) {
        throw inUse(directory, Files.readString(file));
      }
      channel.truncate(0);
      String process = String.valueOf(ProcessHandle.current().pid());
      channel.write(ByteBuffer.wrap(process.getBytes(StandardCharsets.US_ASCII)));
      return channel;
    } catch (IOException | RuntimeException e) {
      channel.close();
      throw e;
    }
  }

  private static UsageException inUse(Path directory, String process) {
    return new UsageException(
        "data directory %s is in use by process %s".formatted(directory, process));
  }
}
