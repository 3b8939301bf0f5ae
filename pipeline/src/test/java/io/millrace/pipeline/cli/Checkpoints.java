package io.millrace.pipeline.cli;

import io.millrace.testing.Await;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.stream.Stream;

/** The checkpoints in the data directory of a run. */
public final class Checkpoints {
  private Checkpoints() {}

  /** Waits until a run has come so far. */
  public static void await(Path data, int number, ChildJvm run) throws Exception {
    Await.until(
        "checkpoint " + number,
        Duration.ofMinutes(2),
        () -> {
          if (!run.handle().isAlive()) {
            throw new AssertionError("the run ended before checkpoint " + number);
          }
          return reached(data, number);
        });
  }

  /** Whether there is one with that number, or a later one. */
  static boolean reached(Path data, int number) throws IOException {
    Path checkpoints = data.resolve("checkpoints");
    if (!Files.isDirectory(checkpoints)) {
      return false;
    }
    try (Stream<Path> tree = Files.walk(checkpoints, 2)) {
      return tree.map(path -> path.getFileName().toString())
          .filter(name -> name.startsWith("chk-"))
          .anyMatch(name -> Integer.parseInt(name.substring(4)) >= number);
    } catch (UncheckedIOException e) {
      // A directory went away while it was walked.
      return false;
    }
  }
}
