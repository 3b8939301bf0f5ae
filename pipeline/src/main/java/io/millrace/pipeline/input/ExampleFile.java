package io.millrace.pipeline.input;

import io.millrace.client.process.UsageException;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PushbackInputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Map;
import java.util.function.LongConsumer;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipException;

/**
 * A file of examples, one JSON object a line, known by its content: a copy under another name is
 * the same file. What begins as a gzip file is read as one.
 *
 * @param name to show to people
 * @param path absolute
 * @param size in bytes, as it is stored
 * @param length of its lines in bytes; of a gzip file, when it is unpacked
 * @param modified when it was last written to
 * @param sha256 of the content as it is stored, hexadecimal
 */
public record ExampleFile(
    String name, Path path, long size, long length, FileTime modified, String sha256) {
  /** The path that stands for the standard input. */
  private static final Path STANDARD_INPUT = Path.of("-");

  private static final String STANDARD_INPUT_NAME = "standard input";
  private static final int BUFFER = 1 << 18;
  private static final byte[] GZIP = {0x1f, (byte) 0x8b};

  /** The first bytes of files that people mistake for lines, in ISO 8859-1, and what to do. */
  private static final Map<String, String> OTHER_FORMATS =
      Map.of(
          "(\u00b5/\u00fd", "compressed with zstd; unpack it, or use gzip",
          "BZh", "compressed with bzip2; unpack it, or use gzip",
          "\u00fd7zXZ\0", "compressed with xz; unpack it, or use gzip",
          "\u0004\"M\u0018", "compressed with lz4; unpack it, or use gzip",
          "PK\u0003\u0004", "a zip archive; unpack it, or use gzip",
          "PAR1", "a Parquet file; write the examples as JSON, one object a line",
          "Obj\u0001", "an Avro file; write the examples as JSON, one object a line");

  /**
   * Reads {@code path} through once, for its hash. {@code -} is the standard input: it is kept in a
   * temporary file as long as this process runs, because it is read more than once.
   *
   * @param progress told how many bytes have been read
   * @throws UsageException where it is missing, no ordinary file, or not readable
   */
  public static ExampleFile open(Path path, LongConsumer progress) {
    if (path.equals(STANDARD_INPUT)) {
      return open(STANDARD_INPUT_NAME, standardInput(), progress);
    }
    requireOrdinary(path);
    return open(path.toString(), path, progress);
  }

  private static ExampleFile open(String name, Path path, LongConsumer progress) {
    try {
      BasicFileAttributes before = Files.readAttributes(path, BasicFileAttributes.class);
      MessageDigest digest = newSha256();
      long length;
      try (DigestInputStream stored = new DigestInputStream(Files.newInputStream(path), digest)) {
        length = read(name, stored, progress);
      }
      String sha256 = HexFormat.of().formatHex(digest.digest());
      ExampleFile file =
          new ExampleFile(
              name,
              path.toAbsolutePath().normalize(),
              before.size(),
              length,
              before.lastModifiedTime(),
              sha256);
      file.requireUnchanged();
      return file;
    } catch (AccessDeniedException e) {
      throw new UsageException("file " + name + " is not readable by this user", e);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read " + name, e);
    }
  }

  /** As {@link #open(Path, LongConsumer)}, without progress. */
  public static ExampleFile open(Path path) {
    return open(path, read -> {});
  }

  /** Reads all that is stored; returns the length of the lines. */
  private static long read(String name, InputStream stored, LongConsumer progress)
      throws IOException {
    PushbackInputStream in = new PushbackInputStream(stored, 8);
    byte[] first = in.readNBytes(8);
    in.unread(first);
    requireLines(name, first);
    if (!isGzip(first)) {
      return drain(in, progress);
    }
    long length;
    try {
      length = drain(new GZIPInputStream(in, BUFFER), progress);
    } catch (ZipException | EOFException e) {
      throw new UsageException(
          "file %s is a gzip file and broken: %s".formatted(name, e.getMessage()), e);
    }
    // What follows the last member belongs to the hash.
    drain(stored, read -> {});
    return length;
  }

  private static long drain(InputStream in, LongConsumer progress) throws IOException {
    byte[] buffer = new byte[BUFFER];
    long total = 0;
    for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
      total += read;
      progress.accept(total);
    }
    return total;
  }

  private static boolean isGzip(byte[] first) {
    return first.length >= GZIP.length && Arrays.equals(first, 0, 2, GZIP, 0, 2);
  }

  private static void requireLines(String name, byte[] first) {
    String text = new String(first, StandardCharsets.ISO_8859_1);
    OTHER_FORMATS.forEach(
        (beginning, what) -> {
          if (text.startsWith(beginning)) {
            throw new UsageException("file " + name + " is " + what);
          }
        });
  }

  private static Path standardInput() {
    try {
      // Only this user may read it.
      Path copy = Files.createTempFile("millrace-input", ".jsonl");
      copy.toFile().deleteOnExit();
      try (OutputStream out = Files.newOutputStream(copy)) {
        System.in.transferTo(out);
      }
      return copy;
    } catch (IOException e) {
      throw new UncheckedIOException("the standard input cannot be kept in a temporary file", e);
    }
  }

  /**
   * @throws IllegalStateException if the file was changed since it was opened
   */
  void requireUnchanged() throws IOException {
    BasicFileAttributes now = Files.readAttributes(path, BasicFileAttributes.class);
    if (now.size() != size || !now.lastModifiedTime().equals(modified)) {
      throw new IllegalStateException(
          "file " + name + " changed while it was read; send it again when it is complete");
    }
  }

  /** The last part of its name. */
  public String shortName() {
    return name.equals(STANDARD_INPUT_NAME) ? name : path.getFileName().toString();
  }

  /** Where it lies, for people: its absolute path, or that it was the standard input. */
  String place() {
    return name.equals(STANDARD_INPUT_NAME) ? name : path.toString();
  }

  /**
   * Its lines, from the one that begins at byte {@code position} of all lines and has {@code lines}
   * before it.
   */
  LineReader lines(int limit, long lines, long position) throws IOException {
    FileChannel channel = FileChannel.open(path);
    try {
      return new LineReader(at(channel, position), limit, lines, position);
    } catch (IOException e) {
      channel.close();
      throw e;
    }
  }

  private static InputStream at(FileChannel channel, long position) throws IOException {
    ByteBuffer first = ByteBuffer.allocate(GZIP.length);
    channel.read(first, 0);
    InputStream stored = Channels.newInputStream(channel);
    if (!isGzip(first.array())) {
      channel.position(position);
      return stored;
    }
    InputStream in = new GZIPInputStream(stored, BUFFER);
    in.skipNBytes(position);
    return in;
  }

  private static void requireOrdinary(Path path) {
    if (!Files.exists(path)) {
      throw new UsageException("file " + path + " does not exist");
    }
    // A pipe could be read only once, and what is sent again after a crash must be the same.
    if (!Files.isRegularFile(path)) {
      throw new UsageException(path + " is no ordinary file; - reads the standard input");
    }
  }

  private static MessageDigest newSha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }
}
