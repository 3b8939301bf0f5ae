package io.millrace.pipeline.input;

import io.millrace.client.process.UsageException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.function.LongConsumer;

/**
 * A file of examples, one JSON object a line, known by its content: a copy under another name is
 * the same file.
 *
 * @param path absolute
 * @param size in bytes
 * @param modified when it was last written to
 * @param sha256 of the content, hexadecimal
 */
public record ExampleFile(Path path, long size, FileTime modified, String sha256) {
  /**
   * Reads {@code path} through once, for its hash.
   *
   * @param progress told how many bytes have been read
   * @throws UsageException where it is missing, no ordinary file, or not readable
   */
  public static ExampleFile open(Path path, LongConsumer progress) {
    requireOrdinary(path);
    try {
      BasicFileAttributes before = Files.readAttributes(path, BasicFileAttributes.class);
      String sha256 = sha256(path, progress);
      ExampleFile file =
          new ExampleFile(
              path.toAbsolutePath().normalize(), before.size(), before.lastModifiedTime(), sha256);
      file.requireUnchanged();
      return file;
    } catch (AccessDeniedException e) {
      throw new UsageException("file " + path + " is not readable by this user", e);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read " + path, e);
    }
  }

  /** As {@link #open(Path, LongConsumer)}, without progress. */
  public static ExampleFile open(Path path) {
    return open(path, read -> {});
  }

  /**
   * @throws IllegalStateException if the file was changed since it was opened
   */
  void requireUnchanged() throws IOException {
    BasicFileAttributes now = Files.readAttributes(path, BasicFileAttributes.class);
    if (now.size() != size || !now.lastModifiedTime().equals(modified)) {
      throw new IllegalStateException(
          "file " + path + " changed while it was read; send it again when it is complete");
    }
  }

  /**
   * Its lines, from the one that begins at byte {@code position} and has {@code lines} before it.
   */
  LineReader lines(int limit, long lines, long position) throws IOException {
    FileChannel channel = FileChannel.open(path);
    try {
      InputStream in = Channels.newInputStream(channel.position(position));
      return new LineReader(in, limit, lines, position);
    } catch (IOException e) {
      channel.close();
      throw e;
    }
  }

  private static void requireOrdinary(Path path) {
    if (!Files.exists(path)) {
      throw new UsageException("file " + path + " does not exist");
    }
    // A pipe could be read only once, and what is sent again after a crash must be the same.
    if (!Files.isRegularFile(path)) {
      throw new UsageException(path + " is no ordinary file");
    }
  }

  private static String sha256(Path path, LongConsumer progress) throws IOException {
    MessageDigest digest = newSha256();
    try (InputStream in = Files.newInputStream(path)) {
      byte[] buffer = new byte[1 << 18];
      long total = 0;
      for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
        digest.update(buffer, 0, read);
        total += read;
        progress.accept(total);
      }
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  private static MessageDigest newSha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }
}
