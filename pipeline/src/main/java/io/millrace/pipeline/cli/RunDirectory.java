package io.millrace.pipeline.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.client.process.UsageException;
import io.millrace.pipeline.embedded.EmbeddedStack;
import io.millrace.svft.tensor.Sha256;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * The data directory of a bounded run, with a description of the input and settings of that run.
 *
 * <p>The same command resumes an interrupted run. A finished run, or one with another input or
 * other settings, is deleted for the new one. A directory with any other content is left unchanged.
 */
final class RunDirectory {
  private static final String DESCRIPTION = "run.json";

  private final Path path;
  private final ObjectNode description;
  private final boolean resumed;

  private RunDirectory(Path path, ObjectNode description, boolean resumed) {
    this.path = path;
    this.description = description;
    this.resumed = resumed;
  }

  /**
   * Makes a directory ready for a run.
   *
   * @param input names the run's input: a hash
   * @param settings what the user set
   * @throws UsageException if it holds something else than a run, or is in use
   */
  static RunDirectory open(Path path, String input, Map<String, String> settings) {
    ObjectNode description = Json.object();
    description.put("input", input);
    // A hash, since settings may hold secrets.
    String asText = new TreeMap<>(settings).toString();
    description.put("settingsSha256", Sha256.of(asText.getBytes(StandardCharsets.UTF_8)));
    return open(path, description, true);
  }

  /** As {@link #open(Path, String, Map)}, for a run that never resumes. */
  static RunDirectory startAnew(Path path) {
    return open(path, Json.object(), false);
  }

  private static RunDirectory open(Path path, ObjectNode description, boolean mayResume) {
    try {
      boolean resumed = false;
      if (Files.exists(path.resolve(DESCRIPTION))) {
        JsonNode before = Json.read(path.resolve(DESCRIPTION));
        description.put("finished", false);
        resumed = mayResume && before.equals(description);
      } else if (!isEmpty(path)) {
        throw new UsageException(
            "%s is no directory of a run and not empty; choose another with --data"
                .formatted(path));
      }
      if (!resumed) {
        EmbeddedStack.clear(path);
      }
      RunDirectory run = new RunDirectory(path, description, resumed);
      run.write(false);
      return run;
    } catch (IOException e) {
      throw new UsageException("data directory " + path + " cannot be used: " + e, e);
    }
  }

  private static boolean isEmpty(Path path) throws IOException {
    if (!Files.exists(path)) {
      return true;
    }
    try (Stream<Path> children = Files.list(path)) {
      return children.allMatch(child -> EmbeddedStack.isKept(child.getFileName().toString()));
    }
  }

  Path path() {
    return path;
  }

  /** Whether it holds the beginning of this run. */
  boolean resumed() {
    return resumed;
  }

  /** Records that the run has ended. */
  void finish() {
    try {
      write(true);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot write " + path.resolve(DESCRIPTION), e);
    }
  }

  private void write(boolean finished) throws IOException {
    description.put("finished", finished);
    Path partial = path.resolve(DESCRIPTION + ".partial");
    Json.write(partial, description);
    Files.move(
        partial,
        path.resolve(DESCRIPTION),
        StandardCopyOption.ATOMIC_MOVE,
        StandardCopyOption.REPLACE_EXISTING);
  }
}
