package io.millrace.svft;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** A base model that plain arithmetic can check: two layers, 16 wide, random weights. */
final class TinyModel {
  static final EncoderConfig CONFIG = new EncoderConfig(2, 16, 2, 24, 30522, 64, 1e-12f);

  private final Random random = new Random(20240607);
  private final List<Safetensors.Tensor> model = new ArrayList<>();
  private final List<Safetensors.Tensor> basis = new ArrayList<>();

  private TinyModel() {}

  /** Writes it into a directory, as the model store would. The same bytes each time. */
  static ModelFiles create(Path directory) throws IOException {
    TinyModel tiny = new TinyModel();
    tiny.embeddings();
    CONFIG.adaptedWeights().forEach(tiny::linear);
    for (int i = 0; i < CONFIG.layers(); i++) {
      tiny.norm("encoder.layer." + i + ".attention.output.LayerNorm");
      tiny.norm("encoder.layer." + i + ".output.LayerNorm");
    }
    byte[] model = Safetensors.toBytes(Map.of(), tiny.model);
    byte[] basis = Safetensors.toBytes(Map.of(), tiny.basis);
    byte[] tokenizer;
    try (InputStream in = TinyModel.class.getResourceAsStream("/all-minilm-l6-v2-tokenizer.json")) {
      tokenizer = in.readAllBytes();
    }
    ModelFiles files =
        new ModelFiles(
            "tiny", directory, CONFIG, Sha256.of(model), Sha256.of(basis), Sha256.of(tokenizer));
    Files.write(files.model(), model);
    Files.write(files.basis(), basis);
    Files.write(files.tokenizer(), tokenizer);
    return files;
  }

  private void embeddings() {
    tensor("embeddings.word_embeddings.weight", 1, CONFIG.vocabulary(), CONFIG.hidden());
    tensor("embeddings.position_embeddings.weight", 0.5, CONFIG.maxPositions(), CONFIG.hidden());
    tensor("embeddings.token_type_embeddings.weight", 0.5, 2, CONFIG.hidden());
    norm("embeddings.LayerNorm");
  }

  private void linear(AdaptedWeight w) {
    float[] weight = tensor(w.name() + ".weight", 1 / Math.sqrt(w.in()), w.out(), w.in());
    tensor(w.name() + ".bias", 0.2, w.out());
    SingularBasis svd = SingularBasis.of(weight, w.out(), w.in());
    int n = w.rank();
    basis.add(new Safetensors.Tensor(w.name() + ".U", new long[] {w.out(), n}, svd.u()));
    basis.add(new Safetensors.Tensor(w.name() + ".S", new long[] {n}, svd.s()));
    basis.add(new Safetensors.Tensor(w.name() + ".Vt", new long[] {n, w.in()}, svd.vt()));
  }

  private void norm(String name) {
    float[] weight = tensor(name + ".weight", 0.2, CONFIG.hidden());
    for (int i = 0; i < weight.length; i++) {
      weight[i] += 1;
    }
    tensor(name + ".bias", 0.2, CONFIG.hidden());
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
