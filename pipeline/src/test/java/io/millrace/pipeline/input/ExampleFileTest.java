package io.millrace.pipeline.input;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.client.process.UsageException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("unit")
class ExampleFileTest {
  @TempDir private Path directory;

  @Test
  void aFileIsKnownByItsContent() throws IOException {
    Path one = Files.writeString(directory.resolve("one"), "abc");
    Path two = Files.writeString(directory.resolve("two"), "abc");
    Path three = Files.writeString(directory.resolve("three"), "abd");

    assertThat(ExampleFile.open(one).sha256())
        .isEqualTo("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        .isEqualTo(ExampleFile.open(two).sha256())
        .isNotEqualTo(ExampleFile.open(three).sha256());
  }

  @Test
  void whatIsMissingOrNoFileIsTheUsersMistake() {
    assertThatThrownBy(() -> ExampleFile.open(directory.resolve("none")))
        .isInstanceOf(UsageException.class)
        .hasMessageEndingWith("none does not exist");
    assertThatThrownBy(() -> ExampleFile.open(directory))
        .isInstanceOf(UsageException.class)
        .hasMessageEndingWith("is no ordinary file");
  }

  @Test
  void aFileThatGrowsMeanwhileIsNoticed() throws IOException {
    Path path = Files.writeString(directory.resolve("file"), "abc");
    ExampleFile file = ExampleFile.open(path);
    Files.writeString(path, "abcd");

    assertThatThrownBy(file::requireUnchanged)
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("changed while it was read");
  }
}
