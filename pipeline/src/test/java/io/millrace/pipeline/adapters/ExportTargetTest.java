package io.millrace.pipeline.adapters;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.client.process.UsageException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("unit")
class ExportTargetTest {
  @TempDir private Path root;

  @Test
  void aFileIsReplacedOnlyWhereThatIsAskedFor() throws IOException {
    Path file = root.resolve("new/adapter.safetensors");
    ExportTarget.file(file, false).write(place -> Files.writeString(place, "one"));

    assertThatThrownBy(() -> ExportTarget.file(file, false))
        .isInstanceOf(UsageException.class)
        .hasMessage("--output: " + file + " exists; --force replaces it");
    ExportTarget.file(file, true).write(place -> Files.writeString(place, "two"));

    assertThat(file).hasContent("two");
    assertThat(names(file.getParent())).containsExactly("adapter.safetensors");
  }

  @Test
  void aDirectoryIsReplacedOnlyWhereItIsAnEarlierExport() throws IOException {
    Path directory = Files.createDirectory(root.resolve("export"));
    ExportTarget.directory(directory, false).write(place -> export(place, "one"));

    assertThatThrownBy(() -> ExportTarget.directory(directory, false))
        .hasMessage("--output: " + directory + " holds an earlier export; --force replaces it");
    ExportTarget.directory(directory, true).write(place -> export(place, "two"));

    assertThat(names(directory)).containsExactly("millrace.json", "two");
    assertThat(names(root)).containsExactly("export");
  }

  @Test
  void whatIsNoExportIsNeverReplaced() throws IOException {
    Path thesis = Files.createDirectory(root.resolve("thesis"));
    Files.writeString(thesis.resolve("chapter.txt"), "do not delete");

    assertThatThrownBy(() -> ExportTarget.directory(thesis, true))
        .isInstanceOf(UsageException.class)
        .hasMessage(
            "--output: %s is not empty and no earlier export; choose another".formatted(thesis));
    assertThatThrownBy(() -> ExportTarget.file(thesis, true)).hasMessageContaining("a directory");
    assertThatThrownBy(() -> ExportTarget.directory(thesis.resolve("chapter.txt"), true))
        .hasMessageContaining("is a file");
  }

  @Test
  void anExportThatFailsLeavesWhatWasThere() throws IOException {
    Path directory = root.resolve("export");
    ExportTarget.directory(directory, false).write(place -> export(place, "one"));

    assertThatThrownBy(
            () ->
                ExportTarget.directory(directory, true)
                    .write(
                        place -> {
                          export(place, "two");
                          throw new IOException("disk full");
                        }))
        .hasMessage("disk full");

    assertThat(names(directory)).containsExactly("millrace.json", "one");
    assertThat(names(root)).containsExactly("export");
  }

  private static void export(Path place, String name) throws IOException {
    Files.writeString(place.resolve("millrace.json"), "{}");
    Files.writeString(place.resolve(name), name);
  }

  private static Stream<String> names(Path directory) throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList().stream();
    }
  }
}
