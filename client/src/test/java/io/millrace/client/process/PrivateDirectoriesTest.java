package io.millrace.client.process;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("unit")
class PrivateDirectoriesTest {
  @TempDir private Path directory;

  @Test
  void whatIsMadeIsTheOwnersAloneWithItsParents() throws IOException {
    PrivateDirectories.create(directory.resolve("a/b"));

    assertThat(permissions("a")).isEqualTo("rwx------");
    assertThat(permissions("a/b")).isEqualTo("rwx------");
  }

  @Test
  void whatIsThereIsClosedToOthersAndItsParentIsNot() throws IOException {
    Files.createDirectories(directory.resolve("a/b"));
    set("a", "rwxr-xr-x");
    set("a/b", "rwxrwxr-x");

    PrivateDirectories.create(directory.resolve("a/b"));

    assertThat(permissions("a")).isEqualTo("rwxr-xr-x");
    assertThat(permissions("a/b")).isEqualTo("rwx------");
  }

  @Test
  void aDirectoryForEveryoneStaysOne() throws IOException {
    Files.createDirectory(directory.resolve("tmp"));
    Files.setAttribute(directory.resolve("tmp"), "unix:mode", 01777);

    PrivateDirectories.create(directory.resolve("tmp"));

    assertThat(permissions("tmp")).isEqualTo("rwxrwxrwx");
  }

  private void set(String name, String permissions) throws IOException {
    Files.setPosixFilePermissions(
        directory.resolve(name), PosixFilePermissions.fromString(permissions));
  }

  private String permissions(String name) throws IOException {
    return PosixFilePermissions.toString(Files.getPosixFilePermissions(directory.resolve(name)));
  }
}
