package io.millrace.pipeline.embedded;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("unit")
class DataDirectoryTest {
  @TempDir private Path directory;

  @Test
  void itIsItsOwnersAlone() throws Exception {
    Path made = directory.resolve("made");
    Path there = Files.createDirectory(directory.resolve("there"));
    Files.setPosixFilePermissions(there, PosixFilePermissions.fromString("rwxr-xr-x"));

    for (Path each : new Path[] {made, there}) {
      try (DataDirectory data = DataDirectory.take(each)) {
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(data.resolve("."))))
            .isEqualTo("rwx------");
      }
    }
  }
}
