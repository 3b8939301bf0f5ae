package io.millrace.operators;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.svft.ModelException;
import io.millrace.svft.ModelStore;
import io.millrace.svft.Torch;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SharedModelTest {
  @TempDir private Path empty;

  /** The tests' store under a name of its own, which nobody else has leased. */
  private final String store = MiniLm.STORE + "/../" + Path.of(MiniLm.STORE).getFileName();

  @BeforeEach
  void loadWhatOtherTestsLease() {
    MiniLm.base();
  }

  @Test
  void leasesShareOneModelAndTheLastToCloseFreesIt() throws Exception {
    int before = SharedModel.loaded();
    SharedModel.Lease first = open(store);
    SharedModel.Lease second = open(store);

    assertThat(second.base()).isSameAs(first.base());
    assertThat(SharedModel.loaded()).isEqualTo(before + 1);
    first.close();
    first.close();
    assertThat(SharedModel.loaded()).isEqualTo(before + 1);
    second.close();
    assertThat(SharedModel.loaded()).isEqualTo(before);
  }

  @Test
  void aStoreInAFlinkFileSystemIsCopiedOpenedAndTheCopyRemoved() throws Exception {
    long copies = copies();
    try (SharedModel.Lease lease = open("teststore:" + store)) {
      assertThat(lease.base().basisSha256()).isEqualTo(MiniLm.base().basisSha256());
    }

    assertThat(copies()).isEqualTo(copies);
  }

  @Test
  void aStoreThatHoldsNoSuchModelSaysHowToFillIt() {
    int before = SharedModel.loaded();

    assertThatThrownBy(() -> open("teststore:" + empty))
        .isInstanceOf(ModelException.class)
        .hasMessageContaining("holds no minilm; prepare it in a local store and copy its folder");
    assertThat(SharedModel.loaded()).isEqualTo(before);
  }

  private static SharedModel.Lease open(String store) throws IOException {
    return SharedModel.open(store, ModelStore.MINILM, Torch.device("cpu"));
  }

  private static long copies() throws IOException {
    try (Stream<Path> files = Files.list(Path.of(System.getProperty("java.io.tmpdir")))) {
      return files
          .filter(file -> file.getFileName().toString().startsWith("millrace-models"))
          .count();
    }
  }
}
