package io.millrace.pipeline.records;

import io.millrace.client.rollout.RolloutKind;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.CRC32;
import java.util.zip.CheckedInputStream;
import java.util.zip.CheckedOutputStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What an earlier command has read of {@code rollouts}, in a file on this machine, so that the next
 * one reads on from there.
 *
 * <p>The file belongs to one topic of one cluster, by the ids that Kafka gave to both, and to one
 * number of partitions: a topic that was made again, another cluster, and a topic with more
 * partitions have files of their own. A file that is damaged, too large or of another format is as
 * good as none. It is only ever replaced as a whole.
 */
final class RolloutCache {
  private static final Logger LOG = LoggerFactory.getLogger(RolloutCache.class);
  private static final int FORMAT = 1;

  /** A file for each topic and partition; larger ones are not kept. */
  static final long MOST_BYTES = 64L << 20;

  /** After this time without a change, the file of a topic is deleted. */
  private static final Duration UNUSED = Duration.ofDays(30);

  private static final int MOST_RECORD_BYTES = 4 << 20;

  /**
   * A record that was read.
   *
   * @param kind the reader that it counts for; null for one that is left out
   * @param time Kafka's timestamp, in milliseconds
   * @param content its value, or in UTF-8 why it is left out
   */
  record Read(RolloutKind kind, int partition, long offset, long time, byte[] content) {}

  /**
   * All that was read.
   *
   * @param next the next offset to read, by kind and partition
   */
  record Content(Map<RolloutKind, Map<Integer, Long>> next, List<Read> records) {
    static Content empty() {
      Map<RolloutKind, Map<Integer, Long>> next = new EnumMap<>(RolloutKind.class);
      for (RolloutKind kind : RolloutKind.values()) {
        next.put(kind, new TreeMap<>());
      }
      return new Content(next, new ArrayList<>());
    }
  }

  private final Path file;

  /**
   * @param directory where the files of all topics are; made where it is missing
   * @param topic identifies the topic: ids of cluster and topic, and number of partitions
   * @param partition the one that is read; null for all
   */
  RolloutCache(Path directory, String topic, Integer partition) {
    // Kafka's ids are base64url: letters, digits, minus and underscore.
    String name = topic.replaceAll("[^A-Za-z0-9_.-]", "_");
    this.file =
        directory.resolve(name + "-" + (partition == null ? "all" : partition) + ".rollouts");
  }

  /** What was read before; empty where there is nothing that can be used. */
  Content load() {
    try {
      if (!Files.isRegularFile(file)) {
        return Content.empty();
      }
      if (Files.size(file) > MOST_BYTES) {
        throw new IOException("it is too large");
      }
      return read();
    } catch (IOException | RuntimeException e) {
      LOG.info("the cache {} is discarded", file, e);
      discard();
      return Content.empty();
    }
  }

  private Content read() throws IOException {
    CheckedInputStream checked =
        new CheckedInputStream(new BufferedInputStream(Files.newInputStream(file)), new CRC32());
    try (DataInputStream in = new DataInputStream(checked)) {
      if (in.readInt() != FORMAT) {
        throw new IOException("it has another format");
      }
      Content content = Content.empty();
      for (RolloutKind kind : RolloutKind.values()) {
        for (int left = in.readInt(); left > 0; left--) {
          content.next().get(kind).put(in.readInt(), in.readLong());
        }
      }
      for (int left = in.readInt(); left > 0; left--) {
        int kind = in.readByte();
        int partition = in.readInt();
        long offset = in.readLong();
        long time = in.readLong();
        int length = in.readInt();
        if (length < 0 || length > MOST_RECORD_BYTES) {
          throw new IOException("it is damaged");
        }
        byte[] value = in.readNBytes(length);
        if (value.length < length) {
          throw new IOException("it is cut off");
        }
        RolloutKind of = kind < 0 ? null : RolloutKind.values()[kind];
        content.records().add(new Read(of, partition, offset, time, value));
      }
      long sum = checked.getChecksum().getValue();
      if (in.readLong() != sum || in.read() >= 0) {
        throw new IOException("its checksum is another one");
      }
      return content;
    }
  }

  /** Keeps what was read in place of what was kept before; does nothing where it cannot. */
  void save(Content content) {
    Path partial = null;
    try {
      Files.createDirectories(file.getParent(), only("rwx------"));
      partial = Files.createTempFile(file.getParent(), "rollouts", ".partial", only("rw-------"));
      write(partial, content);
      if (Files.size(partial) > MOST_BYTES) {
        Files.delete(partial);
        discard();
      } else {
        Files.move(
            partial, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      }
      discardOld();
    } catch (IOException | RuntimeException e) {
      LOG.info("the cache {} is not written", file, e);
      delete(partial);
    }
  }

  private static void write(Path to, Content content) throws IOException {
    CheckedOutputStream checked =
        new CheckedOutputStream(new BufferedOutputStream(Files.newOutputStream(to)), new CRC32());
    try (DataOutputStream out = new DataOutputStream(checked)) {
      out.writeInt(FORMAT);
      for (RolloutKind kind : RolloutKind.values()) {
        out.writeInt(content.next().get(kind).size());
        for (Map.Entry<Integer, Long> each : content.next().get(kind).entrySet()) {
          out.writeInt(each.getKey());
          out.writeLong(each.getValue());
        }
      }
      out.writeInt(content.records().size());
      for (Read read : content.records()) {
        out.writeByte(read.kind() == null ? -1 : read.kind().ordinal());
        out.writeInt(read.partition());
        out.writeLong(read.offset());
        out.writeLong(read.time());
        out.writeInt(read.content().length);
        out.write(read.content());
      }
      out.writeLong(checked.getChecksum().getValue());
    }
  }

  /** Deletes the files of topics that nobody has read for long. */
  private void discardOld() throws IOException {
    FileTime oldest = FileTime.from(Instant.now().minus(UNUSED));
    try (DirectoryStream<Path> files = Files.newDirectoryStream(file.getParent())) {
      for (Path each : files) {
        if (Files.getLastModifiedTime(each).compareTo(oldest) < 0) {
          delete(each);
        }
      }
    }
  }

  /** Forgets what was read. */
  void discard() {
    delete(file);
  }

  private static void delete(Path path) {
    try {
      if (path != null) {
        Files.deleteIfExists(path);
      }
    } catch (IOException e) {
      LOG.info("{} cannot be deleted", path, e);
    }
  }

  private static FileAttribute<?> only(String permissions) {
    return PosixFilePermissions.asFileAttribute(
        EnumSet.copyOf(PosixFilePermissions.fromString(permissions)));
  }
}
