package io.millrace.pipeline;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.millrace.svft.model.Architecture;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.model.ModelFiles;
import io.millrace.svft.model.Pooling;
import io.millrace.svft.tensor.Safetensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;

/**
 * A Hugging Face directory of an encoder with random weights, for tests that train many adapters:
 * two layers of width 256. Full fine-tuning of it has more values than are kept on the heap.
 */
public final class SmallEncoder {
  private static final EncoderConfig SHAPE =
      new EncoderConfig(Architecture.BERT, Pooling.MEAN, 2, 256, 4, 1024, 30522, 128, 0, 2, 1e-12f);

  private SmallEncoder() {}

  /**
   * Writes it; the bytes are the same each time.
   *
   * @param tokenizer of a BERT model of 30,522 tokens
   * @return the directory
   */
  public static Path write(Path directory, ModelFiles tokenizer) throws IOException {
    Files.createDirectories(directory);
    Files.copy(tokenizer.tokenizer(), directory.resolve("tokenizer.json"));
    new ObjectMapper()
        .writeValue(
            directory.resolve("config.json").toFile(),
            Map.of(
                "model_type", SHAPE.architecture().id(),
                "vocab_size", SHAPE.vocabulary(),
                "hidden_size", SHAPE.hidden(),
                "num_hidden_layers", SHAPE.layers(),
                "num_attention_heads", SHAPE.heads(),
                "intermediate_size", SHAPE.intermediate(),
                "hidden_act", "gelu",
                "layer_norm_eps", SHAPE.layerNormEps(),
                "max_position_embeddings", SHAPE.maxPositions(),
                "type_vocab_size", SHAPE.typeVocabulary()));
    Random random = new Random(13);
    List<Safetensors.Tensor> tensors = new ArrayList<>();
    SHAPE.tensors().forEach((name, shape) -> tensors.add(tensor(name, shape, random)));
    Files.write(
        directory.resolve("model.safetensors"),
        Safetensors.toBytes(Map.of("format", "pt"), tensors));
    return directory;
  }

  /** Normalizations are about one, all others as wide as keeps the vectors' size. */
  private static Safetensors.Tensor tensor(String name, long[] shape, Random random) {
    int size = (int) (shape.length == 1 ? shape[0] : shape[0] * shape[1]);
    double deviation = shape.length == 1 ? 0.1 : 1 / Math.sqrt(shape[1]);
    float mean = name.endsWith("LayerNorm.weight") ? 1 : 0;
    float[] values = new float[size];
    for (int i = 0; i < size; i++) {
      values[i] = mean + (float) (deviation * random.nextGaussian());
    }
    return new Safetensors.Tensor(name, shape, values);
  }
}
