package io.millrace.benchmarks.domains;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("unit")
class CheckpointFilesTest {
  @TempDir Path directory;

  @Test
  void whatIsDeletedWasWritten() throws Exception {
    CheckpointFiles files = new CheckpointFiles(directory.resolve("checkpoints"));
    files.look();
    assertThat(files.written()).isZero();

    Path shared = write("job/shared/one", 1_000);
    write("job/chk-1/_metadata", 10);
    files.look();
    Files.delete(shared);
    write("job/shared/two", 300);
    files.look();

    assertThat(files.size()).isEqualTo(310);
    assertThat(files.written()).isEqualTo(1_310);
  }

  @Test
  void aFileThatGrowsIsOneFile() throws Exception {
    CheckpointFiles files = new CheckpointFiles(directory.resolve("checkpoints"));
    for (int bytes : new int[] {10, 200, 500, 500}) {
      write("job/shared/one", bytes);
      files.look();
    }

    assertThat(files.written()).isEqualTo(500);
  }

  @Test
  void aCheckpointCompletesOnce() throws Exception {
    CheckpointFiles files = new CheckpointFiles(directory.resolve("checkpoints"));
    long before = System.currentTimeMillis() - 1;
    write("job/chk-1/state", 10);
    files.look();
    assertThat(files.completed()).isZero();

    write("job/chk-1/_metadata", 10);
    files.look();
    files.look();

    assertThat(files.completed()).isEqualTo(1);
    assertThat(files.after(before)).isZero();
    assertThat(files.after(System.currentTimeMillis())).isEqualTo(1);
  }

  private Path write(String name, int bytes) throws IOException {
    Path file = directory.resolve("checkpoints").resolve(name);
    Files.createDirectories(file.getParent());
    return Files.write(file, new byte[bytes]);
  }
}
