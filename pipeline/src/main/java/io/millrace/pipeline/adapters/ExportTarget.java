package io.millrace.pipeline.adapters;

import io.millrace.client.process.UsageException;
import io.millrace.svft.export.HuggingFaceExport;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Comparator;
import java.util.stream.Stream;

/**
 * The target of an export: a file or a directory. It gets its name when it is complete, so that no
 * reader sees a partial export.
 */
public final class ExportTarget {
  /** Writes an export. */
  public interface Content {
    void write(Path place) throws IOException;
  }

  private final Path path;
  private final boolean directory;

  private ExportTarget(Path path, boolean directory) {
    this.path = path;
    this.directory = directory;
  }

  /**
   * A file.
   *
   * @param force whether one that exists is replaced
   * @throws UsageException where it exists and is not to be replaced
   */
  public static ExportTarget file(Path output, boolean force) {
    Path path = named(output);
    if (Files.isDirectory(path)) {
      throw new UsageException("--output: " + output + " is a directory; the payload is one file");
    }
    if (Files.exists(path) && !force) {
      throw new UsageException("--output: " + output + " exists; --force replaces it");
    }
    return new ExportTarget(path, false);
  }

  /**
   * A directory, which may exist where it is empty.
   *
   * @param force whether an earlier export is replaced; anything else never is
   * @throws UsageException if it is not empty and not replaced
   */
  public static ExportTarget directory(Path output, boolean force) {
    Path path = named(output);
    if (Files.exists(path) && !Files.isDirectory(path)) {
      throw new UsageException("--output: " + output + " is a file; the export is a directory");
    }
    if (!isEmpty(path)) {
      boolean export = Files.exists(path.resolve(HuggingFaceExport.PROVENANCE));
      if (!export) {
        throw new UsageException(
            "--output: %s is not empty and no earlier export; choose another".formatted(output));
      }
      if (!force) {
        throw new UsageException(
            "--output: " + output + " holds an earlier export; --force replaces it");
      }
    }
    return new ExportTarget(path, true);
  }

  private static Path named(Path output) {
    try {
      Path path = Files.exists(output) ? output.toRealPath() : output.toAbsolutePath().normalize();
      if (path.getFileName() == null) {
        throw new UsageException("--output: " + output + " cannot be written");
      }
      return path;
    } catch (IOException e) {
      throw new UsageException("--output: " + output + " cannot be written: " + e, e);
    }
  }

  private static boolean isEmpty(Path path) {
    if (!Files.exists(path)) {
      return true;
    }
    try (Stream<Path> children = Files.list(path)) {
      return children.findAny().isEmpty();
    } catch (IOException e) {
      throw new UsageException("--output: " + path + " cannot be read: " + e, e);
    }
  }

  /**
   * Writes the export beside its place and moves it there.
   *
   * @return where it is
   * @throws IOException if it cannot be written; an earlier export is then unchanged
   */
  public Path write(Content content) throws IOException {
    Files.createDirectories(path.getParent());
    String suffix = "-" + ProcessHandle.current().pid();
    Path partial = path.resolveSibling(path.getFileName() + ".partial" + suffix);
    Path before = path.resolveSibling(path.getFileName() + ".before" + suffix);
    try {
      if (directory) {
        Files.createDirectory(partial);
      }
      content.write(partial);
      if (directory && Files.exists(path)) {
        Files.move(path, before, StandardCopyOption.ATOMIC_MOVE);
      }
      try {
        Files.move(partial, path, StandardCopyOption.ATOMIC_MOVE);
      } catch (IOException e) {
        if (Files.exists(before)) {
          Files.move(before, path, StandardCopyOption.ATOMIC_MOVE);
        }
        throw e;
      }
      delete(before);
      return path;
    } finally {
      delete(partial);
    }
  }

  private static void delete(Path path) throws IOException {
    if (!Files.exists(path)) {
      return;
    }
    try (Stream<Path> tree = Files.walk(path)) {
      for (Path each : tree.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(each);
      }
    }
  }
}
