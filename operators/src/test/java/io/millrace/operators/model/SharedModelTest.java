package io.millrace.operators.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.operators.MiniLm;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.ModelException;
import io.millrace.svft.model.ModelStore;
import io.millrace.svft.model.WeightRole;
import io.millrace.svft.tensor.Kernels;
import io.millrace.svft.tensor.Torch;
import io.millrace.svft.training.Trainer;
import io.millrace.svft.training.TrainingExample;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("integration")
class SharedModelTest {
  @TempDir private Path empty;

  @TempDir private Path directory;

  /** The tests' store under another path, so that no other test holds a lease on its model. */
  private String store;

  @BeforeEach
  void loadWhatOtherTestsLease() throws IOException {
    MiniLm.base();
    store = Files.createSymbolicLink(directory.resolve("store"), Path.of(MiniLm.STORE)).toString();
  }

  @Test
  void leasesShareOneModelAndTheLastToCloseFreesIt() throws Exception {
    int before = SharedModel.loaded();
    SharedModel.Lease first = open(store);
    SharedModel.Lease second = open(store);

    assertThat(second.base()).isSameAs(first.base());
    train(first.base());
    assertThat(SharedModel.loaded()).isEqualTo(before + 1);
    first.close();
    first.close();
    assertThat(SharedModel.loaded()).isEqualTo(before + 1);
    second.close();
    assertThat(SharedModel.loaded()).isEqualTo(before);
    assertThatThrownBy(() -> train(first.base())).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void aStoreIsTheSameHoweverItIsWritten() throws Exception {
    try (SharedModel.Lease path = open(store);
        SharedModel.Lease slash = open(store + "/");
        SharedModel.Lease uri = open("file:" + store);
        SharedModel.Lease longUri = open("file://" + store + "/");
        SharedModel.Lease detour = open(directory + "/./x/../store")) {
      assertThat(Stream.of(slash, uri, longUri, detour).map(SharedModel.Lease::base))
          .allMatch(base -> base == path.base());
    }
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
    return SharedModel.open(
        store,
        ModelStore.MINILM,
        Torch.device("cpu"),
        EnumSet.allOf(WeightRole.class),
        Kernels.FAST);
  }

  private static void train(BaseModel base) {
    try (Trainer trainer = new Trainer(base, MiniLm.settings().domains().others().training(), 1)) {
      trainer.step(trainer.initialState(), List.of(new TrainingExample("text", "label", 1)));
    }
  }

  private static long copies() throws IOException {
    try (Stream<Path> files = Files.list(Path.of(System.getProperty("java.io.tmpdir")))) {
      return files
          .filter(file -> file.getFileName().toString().startsWith("millrace-models"))
          .count();
    }
  }
}
