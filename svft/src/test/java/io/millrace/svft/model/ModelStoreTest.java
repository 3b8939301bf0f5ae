package io.millrace.svft.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.svft.TinyModel;
import io.millrace.svft.export.HuggingFaceDirectory;
import io.millrace.svft.tensor.Sha256;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A store that holds a model already: {@link TinyModel}, under MiniLM's name. */
@Tag("unit")
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
          "config": {"architecture": "bert", "pooling": "mean", "layers": 2, "hidden": 16,
                     "heads": 2, "intermediate": 24, "vocabulary": 30522, "maxPositions": 64,
                     "positionOffset": 0, "typeVocabulary": 2, "layerNormEps": 1e-12},
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
        "`{\"config\": null}`               | config is null",
        "`{\"config\": []}`                 | model.json",
        "`{\"config\": {}}`                 | architecture missing",
        "`{\"config\": {\"architecture\": \"bart\"}}` | bart",
        "`{\"config\": {\"architecture\": \"bert\", \"pooling\": \"cls\"}}` | not an encoder",
        "`{\"config\": {\"architecture\": \"bert\", \"layers\": \"x\"}}` | layers",
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
  void aHashThatIsMissingOrNoTextIsNamed() throws Exception {
    Path description = directory.resolve("model.json");
    String whole = Files.readString(description);
    Files.writeString(description, whole.replace("\"basisSha256\"", "\"basis\""));
    assertRefused().hasMessageContaining("model.json").hasMessageContaining("basisSha256");

    Files.writeString(
        description, whole.replaceAll("\"basisSha256\": \"\\w+\"", "\"basisSha256\": 3"));
    assertRefused().hasMessageContaining("model.json is broken: basisSha256 is 3");
  }

  @ParameterizedTest
  @ValueSource(strings = {"bert-large", "", "minilm.partial", "no\0name"})
  void anUnknownNameIsRefusedWithThoseThatAreKnown(String name) throws Exception {
    Files.createDirectory(root.resolve("minilm.partial"));
    Files.writeString(root.resolve("minilm.partial").resolve("model.json"), "{}");
    Files.createDirectory(root.resolve("tiny-0123456789ab"));
    Files.writeString(root.resolve("tiny-0123456789ab").resolve("model.json"), "{}");

    assertThatThrownBy(() -> store.prepare(name, NOTHING_TO_DO))
        .isInstanceOf(ModelException.class)
        .hasMessage(
            "unknown base model \"%s\"; known: minilm, bge-small; the store %s holds minilm, tiny-0123456789ab; a path of a Hugging Face directory holds a /"
                .formatted(name, root));
  }

  @Test
  void aPathThatIsNoDirectoryIsNamed() {
    String path = root.resolve("nowhere").toString();

    assertThatThrownBy(() -> store.prepare(path, NOTHING_TO_DO))
        .isInstanceOf(ModelException.class)
        .hasMessage("base model \"" + path + "\" is no directory");
  }

  /** Descriptions of the first format name no architecture. */
  @Test
  void aModelOfAnOlderReleaseIsImportedAgain() throws Exception {
    Path source = HuggingFaceDirectory.of(Architecture.BERT).write(root.resolve("source"));
    store = new ModelStore(root, List.of(named(ModelStore.MINILM, source)));
    Path description = directory.resolve("model.json");
    Files.writeString(
        description,
        Files.readString(description)
            .replace("\"architecture\": \"bert\", \"pooling\": \"mean\", ", ""));
    AtomicInteger last = new AtomicInteger();

    ModelFiles files = store.prepare(ModelStore.MINILM, (model, done, total) -> last.set(total));

    assertThat(last).hasValue(12);
    assertThat(files.config()).isEqualTo(HuggingFaceDirectory.shape(Architecture.BERT));
    assertThat(store.prepare(ModelStore.MINILM, NOTHING_TO_DO)).isEqualTo(files);
  }

  private static ModelSource named(String name, Path directory) {
    return new ModelSource() {
      @Override
      public String name() {
        return name;
      }

      @Override
      public Checkpoint read() throws IOException {
        return new HuggingFaceCheckpoint(directory).read();
      }
    };
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
