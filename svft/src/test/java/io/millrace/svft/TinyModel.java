package io.millrace.svft;

import io.millrace.svft.model.Architecture;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.model.EncoderWeight;
import io.millrace.svft.model.ModelFiles;
import io.millrace.svft.model.Pooling;
import io.millrace.svft.model.SingularBasis;
import io.millrace.svft.tensor.Safetensors;
import io.millrace.svft.tensor.Sha256;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;

/**
 * A base model that is small enough to check by plain arithmetic: random weights and MiniLM's
 * tokenizer, by default two layers of width 16.
 */
public final class TinyModel {
  public static final EncoderConfig CONFIG =
      new EncoderConfig(Architecture.BERT, Pooling.MEAN, 2, 16, 2, 24, 30522, 64, 0, 2, 1e-12f);

  private final Random random = new Random(20240607);
  private final List<Safetensors.Tensor> model = new ArrayList<>();
  private final List<Safetensors.Tensor> basis = new ArrayList<>();

  private final EncoderConfig config;

  private TinyModel(EncoderConfig config) {
    this.config = config;
  }

  /** The shape of a model of another family, with its positions, token types and pooling. */
  public static EncoderConfig config(Architecture architecture, Pooling pooling) {
    int offset = architecture == Architecture.ROBERTA ? 2 : 0;
    int types = architecture == Architecture.DISTILBERT ? 0 : 2;
    return new EncoderConfig(architecture, pooling, 2, 16, 2, 24, 30522, 64, offset, types, 1e-12f);
  }

  /**
   * Writes {@link #CONFIG} into a directory, as the model store would. The bytes are the same each
   * time.
   */
  public static ModelFiles create(Path directory) throws IOException {
    return create(directory, CONFIG);
  }

  /** Writes a model of a given shape. */
  static ModelFiles create(Path directory, EncoderConfig config) throws IOException {
    TinyModel tiny = new TinyModel(config);
    tiny.embeddings();
    config.weights().forEach(tiny::linear);
    for (int i = 0; i < config.layers(); i++) {
      tiny.norm(config.architecture().attentionNorm(i));
      tiny.norm(config.architecture().outputNorm(i));
    }
    byte[] model = Safetensors.toBytes(Map.of(), tiny.model);
    byte[] basis = Safetensors.toBytes(Map.of(), tiny.basis);
    byte[] tokenizer;
    try (InputStream in = TinyModel.class.getResourceAsStream("/all-minilm-l6-v2-tokenizer.json")) {
      tokenizer = in.readAllBytes();
    }
    ModelFiles files =
        new ModelFiles(
            "tiny", directory, config, Sha256.of(model), Sha256.of(basis), Sha256.of(tokenizer));
    Files.write(files.model(), model);
    Files.write(files.basis(), basis);
    Files.write(files.tokenizer(), tokenizer);
    return files;
  }

  private void embeddings() {
    Architecture names = config.architecture();
    tensor(names.wordEmbeddings(), 1, config.vocabulary(), config.hidden());
    tensor(names.positionEmbeddings(), 0.5, config.positionRows(), config.hidden());
    names
        .typeEmbeddings()
        .ifPresent(name -> tensor(name, 0.5, config.typeVocabulary(), config.hidden()));
    norm(names.embeddingNorm());
  }

  private void linear(EncoderWeight w) {
    float[] weight = tensor(w.name() + ".weight", 1 / Math.sqrt(w.in()), w.out(), w.in());
    tensor(w.name() + ".bias", 0.2, w.out());
    SingularBasis svd = SingularBasis.of(weight, w.out(), w.in());
    int n = w.rank();
    basis.add(new Safetensors.Tensor(w.name() + ".U", new long[] {w.out(), n}, svd.u()));
    basis.add(new Safetensors.Tensor(w.name() + ".S", new long[] {n}, svd.s()));
    basis.add(new Safetensors.Tensor(w.name() + ".Vt", new long[] {n, w.in()}, svd.vt()));
  }

  private void norm(String name) {
    float[] weight = tensor(name + ".weight", 0.2, config.hidden());
    for (int i = 0; i < weight.length; i++) {
      weight[i] += 1;
    }
    tensor(name + ".bias", 0.2, config.hidden());
  }

  private float[] tensor(String name, double deviation, long... shape) {
    long size = 1;
    for (long dim : shape) {
      size *= dim;
    }
    float[] values = new float[(int) size];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (deviation * random.nextGaussian());
    }
    model.add(new Safetensors.Tensor(name, shape, values));
    return values;
  }
}
