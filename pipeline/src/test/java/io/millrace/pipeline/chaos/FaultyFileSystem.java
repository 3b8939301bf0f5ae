package io.millrace.pipeline.chaos;

import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.StandardOpenOption;
import org.apache.flink.core.fs.FSDataOutputStream;
import org.apache.flink.core.fs.FileSystem;
import org.apache.flink.core.fs.FileSystemFactory;
import org.apache.flink.core.fs.Path;
import org.apache.flink.core.fs.local.LocalFileSystem;

/**
 * Local files, {@code faulty:///path}, that cannot be written while a control file says so. Each
 * refusal adds a line to a file beside it.
 */
final class FaultyFileSystem extends LocalFileSystem {
  static final String SCHEME = "faulty";

  /** System property with the path of the control file; its text is the name of a fault. */
  static final String CONTROL = "millrace.chaos.faults";

  /** What is wrong with the files. */
  enum Fault {
    /** None can be made. */
    REFUSED,
    /** They break off half way. */
    FULL
  }

  /** Flink finds it by META-INF/services. */
  public static final class Factory implements FileSystemFactory {
    @Override
    public String getScheme() {
      return SCHEME;
    }

    @Override
    public FileSystem create(URI uri) {
      return new FaultyFileSystem();
    }
  }

  @Override
  public URI getUri() {
    return URI.create(SCHEME + ":///");
  }

  @Override
  public boolean isDistributedFS() {
    return true;
  }

  @Override
  public FSDataOutputStream create(Path path, WriteMode mode) throws IOException {
    if (faulty(Fault.REFUSED)) {
      throw fault("Input/output error", path);
    }
    return new Stream(super.create(path, mode), path);
  }

  private static java.nio.file.Path control() {
    return java.nio.file.Path.of(System.getProperty(CONTROL));
  }

  /** Never in a process that is not told of faults: the client writes here, too. */
  private static boolean faulty(Fault fault) throws IOException {
    if (System.getProperty(CONTROL) == null) {
      return false;
    }
    try {
      return Files.readString(control()).equals(fault.name());
    } catch (NoSuchFileException e) {
      return false;
    }
  }

  private static IOException fault(String message, Path path) throws IOException {
    Files.writeString(
        control().resolveSibling(control().getFileName() + ".log"),
        message + " " + path + "\n",
        StandardCharsets.UTF_8,
        StandardOpenOption.CREATE,
        StandardOpenOption.APPEND);
    return new IOException(message);
  }

  /** A stream that may find the disk full at any write. */
  private static final class Stream extends FSDataOutputStream {
    private final FSDataOutputStream out;
    private final Path path;

    Stream(FSDataOutputStream out, Path path) {
      this.out = out;
      this.path = path;
    }

    @Override
    public void write(int b) throws IOException {
      write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
      if (faulty(Fault.FULL)) {
        out.write(bytes, offset, length / 2);
        throw fault("No space left on device", path);
      }
      out.write(bytes, offset, length);
    }

    @Override
    public long getPos() throws IOException {
      return out.getPos();
    }

    @Override
    public void flush() throws IOException {
      out.flush();
    }

    @Override
    public void sync() throws IOException {
      out.sync();
    }

    @Override
    public void close() throws IOException {
      out.close();
    }
  }
}
