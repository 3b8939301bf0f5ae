package io.millrace.svft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A store that holds a model already: {@link TinyModel}, under MiniLM's name. */
class ModelStoreTest {
  private static final ModelStore.Listener NOTHING_TO_DO =
      (model, done, total) -> {
        throw new AssertionError("prepared " + model + " again");
      };

  @TempDir private Path root;
  private Path directory;
  private ModelFiles tiny;
  private ModelStore store;

  @BeforeEach
  void fillStore() throws IOException {
    directory = Files.createDirectory(root.resolve(ModelStore.MINILM));
    tiny = TinyModel.create(directory);
    Files.writeString(
        directory.resolve("model.json"),
        """
        {
          "config": {"layers": 2, "hidden": 16, "heads": 2, "intermediate": 24,
                     "vocabulary": 30522, "maxPositions": 64, "layerNormEps": 1e-12},
          "baseSha256": "%s",
          "basisSha256": "%s",
          "tokenizerSha256": "%s"
        }
        """
            .formatted(tiny.baseSha256(), tiny.basisSha256(), tiny.tokenizerSha256()));
    store = new ModelStore(root);
  }

  @Test
  void aPreparedModelIsOnlyOpened() {
    ModelFiles files = store.prepare(ModelStore.MINILM, NOTHING_TO_DO);

    assertThat(files.config()).isEqualTo(TinyModel.CONFIG);
    assertThat(files.baseSha256()).isEqualTo(tiny.baseSha256());
    assertThat(files.basisSha256()).isEqualTo(tiny.basisSha256());
    assertThat(files.tokenizerSha256()).isEqualTo(tiny.tokenizerSha256());
    assertThat(files.directory()).isEqualTo(directory);
  }

  @ParameterizedTest
  @ValueSource(strings = {"model.safetensors", "basis.safetensors", "tokenizer.json"})
  void aFileThatChangedIsRefusedWithBothHashes(String name) throws Exception {
    Path file = directory.resolve(name);
    String recorded = Sha256.of(file);
    Files.write(file, new byte[] {' '}, StandardOpenOption.APPEND);

    assertRefused()
        .hasMessageContaining(file.toString())
        .hasMessageContaining(recorded)
        .hasMessageContaining(Sha256.of(file));
  }

  @ParameterizedTest
  @ValueSource(strings = {"model.safetensors", "basis.safetensors", "tokenizer.json"})
  void aFileThatIsGoneIsNamed(String name) throws Exception {
    Files.delete(directory.resolve(name));

    assertRefused().hasMessageContaining("minilm/" + name).hasMessageContaining("missing");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "`{`                                | model.json",
        "`[]`                               | model.json",
        "`{}`                               | config",
        "`{\"config\": {}}`                 | not an encoder",
        "`{\"config\": {\"layers\": \"x\"}}` | model.json",
      })
  void aDescriptionThatIsBrokenIsNamedInOneLine(String description, String message)
      throws Exception {
    Files.writeString(directory.resolve("model.json"), description);

    assertRefused()
        .hasMessageContaining("model.json")
        .hasMessageContaining(message)
        .message()
        .doesNotContain("\n");
  }

  @Test
  void anUnknownNameIsRefusedWithThoseThatAreKnown() {
    assertThatThrownBy(() -> store.prepare("bert-large", NOTHING_TO_DO))
        .isInstanceOf(ModelException.class)
        .hasMessage("unknown base model \"bert-large\"; known: minilm");
  }

  @Test
  void aRootThatIsAFileIsNamed() throws Exception {
    Path file = Files.createFile(root.resolve("file"));

    assertThatThrownBy(() -> new ModelStore(file).prepare(ModelStore.MINILM, NOTHING_TO_DO))
        .isInstanceOf(ModelException.class)
        .hasMessageContaining(file.toString());
  }

  private org.assertj.core.api.AbstractThrowableAssert<?, ?> assertRefused() {
    return assertThatThrownBy(() -> store.prepare(ModelStore.MINILM, NOTHING_TO_DO))
        .isInstanceOf(ModelException.class);
  }
}
