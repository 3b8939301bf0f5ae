package io.millrace.svft.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.svft.TinyModel;
import io.millrace.svft.tensor.Safetensors;
import io.millrace.svft.tensor.Torch;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("unit")
class BaseModelTest {
  @TempDir private Path directory;

  @Test
  void aTensorThatIsMissingIsNamed() throws Exception {
    ModelFiles files = TinyModel.create(directory);
    String name = "encoder.layer.1.output.dense.U";
    rewrite(files.basis(), tensor -> tensor.name().equals(name) ? null : tensor);

    assertRefused(files).hasMessage("base model tiny: tensor " + name + " is missing");
  }

  @Test
  void aTensorOfAnotherShapeIsNamedWithBothShapes() throws Exception {
    ModelFiles files = TinyModel.create(directory);
    String name = "encoder.layer.0.intermediate.dense.bias";
    rewrite(
        files.model(),
        tensor ->
            tensor.name().equals(name)
                ? new Safetensors.Tensor(name, new long[] {23}, new float[23])
                : tensor);

    assertRefused(files)
        .hasMessage("base model tiny: tensor " + name + " has shape [23], expected [24]");
  }

  @Test
  void aTruncatedFileIsNamed() throws Exception {
    ModelFiles files = TinyModel.create(directory);
    byte[] bytes = Files.readAllBytes(files.model());
    Files.write(files.model(), java.util.Arrays.copyOf(bytes, bytes.length - 1));

    assertRefused(files).hasMessageContaining(files.model().toString());
  }

  @Test
  void aTokenizerThatIsNoneIsNamed() throws Exception {
    ModelFiles files = TinyModel.create(directory);
    Files.writeString(files.tokenizer(), "{}");

    assertRefused(files).hasMessage(files.tokenizer() + ": not a tokenizer");
  }

  @Test
  void textsAreCutAtTheModelsLongestSequence() throws Exception {
    try (BaseModel base = BaseModel.load(TinyModel.create(directory), Torch.device("cpu"))) {
      long[][] ids = base.tokenize(List.of("word ".repeat(500), "word"));

      assertThat(ids[0]).hasSize(64);
      assertThat(ids[1]).hasSize(3);
    }
  }

  private static org.assertj.core.api.AbstractThrowableAssert<?, ?> assertRefused(
      ModelFiles files) {
    return assertThatThrownBy(() -> BaseModel.load(files, Torch.device("cpu")).close())
        .isInstanceOf(ModelException.class);
  }

  private static void rewrite(Path path, UnaryOperator<Safetensors.Tensor> change)
      throws Exception {
    Safetensors file = Safetensors.open(path);
    List<Safetensors.Tensor> tensors = new ArrayList<>();
    for (String name : file.names()) {
      Safetensors.Tensor changed =
          change.apply(new Safetensors.Tensor(name, file.shape(name), file.floats(name)));
      if (changed != null) {
        tensors.add(changed);
      }
    }
    // A file of its own: the one that was read is still mapped.
    Path written = Files.createTempFile(path.getParent(), "changed", null);
    Files.write(written, Safetensors.toBytes(Map.of(), tensors));
    Files.move(written, path, java.nio.file.StandardCopyOption.REPLACE_EXISTING);
  }
}
