package io.millrace.svft.model;

import io.millrace.svft.tensor.Safetensors;
import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * An encoder as its source holds it, checked: {@code tensors} are those of {@code config}, each
 * with its shape, and all values are finite.
 *
 * @param tensors under the names of {@link Architecture}
 * @param tokenizer a {@code tokenizer.json} whose ids lie below the vocabulary
 * @param leftOut tensors of the source that are not the encoder's, under the source's names
 * @param fileSha256 of the source's {@code model.safetensors}, where it has one
 */
record Checkpoint(
    EncoderConfig config,
    List<? extends Safetensors.AnyTensor> tensors,
    byte[] tokenizer,
    List<String> leftOut,
    Optional<String> fileSha256) {

  /**
   * Checks tensors against the encoder's shape.
   *
   * @param file named in messages
   * @throws ModelException for a tensor that is missing, one too many, of another shape, or with a
   *     value that is not finite
   */
  static void requireTensors(
      String file, EncoderConfig config, List<? extends Safetensors.AnyTensor> tensors) {
    Map<String, Safetensors.AnyTensor> byName = new TreeMap<>();
    tensors.forEach(tensor -> byName.put(tensor.name(), tensor));
    Map<String, long[]> expected = config.tensors();
    for (String name : byName.keySet()) {
      if (!expected.containsKey(name)) {
        throw new ModelException(
            "%s: tensor %s does not belong to a %s encoder of %d layers"
                .formatted(file, name, config.architecture().id(), config.layers()));
      }
    }
    expected.forEach(
        (name, shape) -> {
          Safetensors.AnyTensor tensor = byName.get(name);
          if (tensor == null) {
            throw new ModelException("%s: tensor %s is missing".formatted(file, name));
          }
          if (!Arrays.equals(tensor.shape(), shape)) {
            throw new ModelException(
                "%s: tensor %s has shape %s, expected %s"
                    .formatted(
                        file, name, Arrays.toString(tensor.shape()), Arrays.toString(shape)));
          }
        });
    tensors.forEach(tensor -> requireFinite(file, tensor));
  }

  private static void requireFinite(String file, Safetensors.AnyTensor tensor) {
    FloatBuffer values = floats(tensor);
    for (int i = 0; i < values.limit(); i++) {
      if (!Float.isFinite(values.get(i))) {
        throw new ModelException(
            "%s: tensor %s: value %d is %s".formatted(file, tensor.name(), i, values.get(i)));
      }
    }
  }

  private static FloatBuffer floats(Safetensors.AnyTensor tensor) {
    if (tensor instanceof Safetensors.Tensor t) {
      return FloatBuffer.wrap(t.values());
    }
    if (tensor instanceof Safetensors.StoredTensor t) {
      return t.file().floatBuffer(t.nameInFile());
    }
    throw new IllegalArgumentException(tensor.name() + " is no float32 tensor");
  }
}
