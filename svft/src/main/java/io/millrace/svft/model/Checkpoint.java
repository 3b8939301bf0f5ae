package io.millrace.svft.model;

import io.millrace.svft.tensor.Safetensors;
import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * A checked encoder from a {@link ModelSource}: {@code tensors} are exactly those of {@code
 * config}, each with its shape, and all values are finite.
 *
 * @param tensors named as {@link Architecture} names them
 * @param tokenizer the content of a {@code tokenizer.json} whose ids are below the vocabulary's
 *     size
 * @param texts what happens to a text before the tokenizer's file
 * @param leftOut tensors of the source that do not belong to the encoder, under the source's names
 * @param fileSha256 of the source's {@code model.safetensors}, if it has one
 */
record Checkpoint(
    EncoderConfig config,
    List<? extends Safetensors.AnyTensor> tensors,
    byte[] tokenizer,
    TextSettings texts,
    List<String> leftOut,
    Optional<String> fileSha256) {

  /**
   * Checks tensors against the encoder's shape.
   *
   * @param file the file to name in messages
   * @throws ModelException if a tensor is missing, superfluous, of another shape, or has a value
   *     that is not finite
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
