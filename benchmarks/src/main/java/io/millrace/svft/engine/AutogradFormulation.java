package io.millrace.svft.engine;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.Shape;
import ai.djl.ndarray.types.SparseFormat;
import ai.djl.nn.Activation;
import ai.djl.nn.core.Embedding;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.LayerNorm;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.jni.JniUtils;
import io.millrace.svft.method.AdapterLayout;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.method.Lora;
import io.millrace.svft.method.Svft;
import io.millrace.svft.model.Architecture;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.model.EncoderWeight;
import io.millrace.svft.model.ModelFiles;
import io.millrace.svft.model.Pooling;
import io.millrace.svft.task.Head;
import io.millrace.svft.tensor.Kernels;
import io.millrace.svft.tensor.Safetensors;
import io.millrace.svft.tensor.Torch;
import io.millrace.svft.training.Trainer;
import io.millrace.svft.training.TrainingExample;
import io.millrace.svft.training.TrainingState;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A step as it is usually written: operator after operator, each shared by several threads, with
 * the backward pass left to autograd. For comparison only; BERT encoders that pool by the mean.
 *
 * <ul>
 *   <li>{@code factored}: y = ((x V) ∘ (Σ + m)) Uᵀ + b; the first products of query, key and value
 *       are one
 *   <li>{@code rebuilt}: W' = U (Σ + M) Vᵀ by two products, then y = x W'ᵀ + b, as SVFT's authors
 *       have it
 *   <li>{@code lora}: y = x Wᵀ + b + c (x Aᵀ) Bᵀ, as PEFT has it
 *   <li>{@code dense}: y = x Wᵀ + b; nothing but the head is trained
 * </ul>
 *
 * <p>{@code packed}: real tokens only, laid out in places for attention; {@code padded}: every
 * sequence has as many places as the longest, throughout.
 */
final class AutogradFormulation implements StepFormulation {
  static final List<String> NAMES =
      List.of(
          "factored-packed", "factored-padded", "rebuilt-padded", "lora-padded", "dense-padded");

  private enum Form {
    FACTORED,
    REBUILT,
    LORA,
    DENSE
  }

  private record Norm(NDArray weight, NDArray bias) {}

  private final Form form;
  private final boolean packed;
  private final int threads;
  private final BaseModel base;
  private final EncoderConfig config;
  private final AdapterMethod method;
  private final AdapterLayout layout;
  private final NDManager manager;
  private final NDArray words;
  private final NDArray positions;
  private final Norm embeddingNorm;
  private final List<Norm> attentionNorms = new ArrayList<>();
  private final List<Norm> outputNorms = new ArrayList<>();

  /** Per layer V' of query, key and value, one below the other: [3 · hidden, hidden]. */
  private final List<NDArray> qkvVt = new ArrayList<>();

  private final NDArray sigma;
  private final NDArray unit;
  private final NDArray inverseRoot;
  private final NDArray loraScale;

  /** One pass's trained arrays: {@code scale} is Σ + m; {@code loras} holds A and B in turn. */
  private record Trained(NDArray scale, List<NDArray> loras) {}

  AutogradFormulation(String name, BaseModel base, int threads) {
    this.form = Form.valueOf(name.split("-")[0].toUpperCase());
    this.packed = name.endsWith("-packed");
    this.threads = threads;
    this.base = base;
    this.config = base.config();
    this.method = AdapterMethod.parse(method(name));
    this.layout = AdapterLayout.of(config, method);
    this.manager = base.manager().newSubManager();
    Safetensors file = open(base);
    Architecture names = config.architecture();
    int hidden = config.hidden();
    this.words = load(file, names.wordEmbeddings(), config.vocabulary(), hidden);
    float[] table = file.floats(names.positionEmbeddings(), config.positionRows(), hidden);
    float[] types =
        file.floats(names.typeEmbeddings().orElseThrow(), config.typeVocabulary(), hidden);
    for (int i = 0; i < table.length; i++) {
      table[i] += types[i % hidden];
    }
    this.positions = Torch.array(manager, table, config.positionRows(), hidden);
    this.embeddingNorm = norm(file, names.embeddingNorm());
    List<Float> sigma = new ArrayList<>();
    for (int layer = 0; layer < config.layers(); layer++) {
      attentionNorms.add(norm(file, names.attentionNorm(layer)));
      outputNorms.add(norm(file, names.outputNorm(layer)));
      if (form == Form.FACTORED) {
        NDList vt = new NDList();
        base.linears().subList(6 * layer, 6 * layer + 3).forEach(w -> vt.add(w.factors().vt()));
        qkvVt.add(attached(NDArrays.concat(vt, 0)));
      }
    }
    for (BaseModel.Linear linear : base.linears()) {
      for (int i = 0; linear.sigma() != null && i < linear.sigma().length; i++) {
        sigma.add(linear.sigma()[i]);
      }
    }
    float[] all = new float[sigma.size()];
    for (int i = 0; i < all.length; i++) {
      all[i] = sigma.get(i);
    }
    this.sigma = all.length == 0 ? null : Torch.array(manager, all, all.length);
    this.unit = manager.eye(hidden);
    // Not x.mul(number): DJL makes the number an array in a Java buffer, closes it, and autograd
    // still needs it in the backward pass, when the buffer may be gone.
    this.inverseRoot =
        Torch.array(manager, new float[] {(float) (1 / Math.sqrt(config.headWidth()))}, 1);
    float c = method instanceof Lora lora ? (float) lora.scale() : 0;
    this.loraScale = Torch.array(manager, new float[] {c}, 1);
  }

  /** Spec of the method that a formulation trains. */
  static String method(String name) {
    return switch (name.split("-")[0]) {
      case "lora" -> "lora:8";
      case "dense" -> "head";
      default -> "svft:plain";
    };
  }

  private static Safetensors open(BaseModel base) {
    try {
      return Safetensors.open(base.directory().resolve(ModelFiles.MODEL));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private NDArray load(Safetensors file, String name, long... shape) {
    return Torch.array(manager, file.floats(name, shape), shape);
  }

  private Norm norm(Safetensors file, String name) {
    return new Norm(
        load(file, name + ".weight", config.hidden()), load(file, name + ".bias", config.hidden()));
  }

  private NDArray attached(NDArray array) {
    array.attach(manager);
    return array;
  }

  @Override
  public Trainer.Gradients gradients(
      TrainingState state, List<TrainingExample> batch, long[][] ids) {
    int hidden = config.hidden();
    int labels = state.labels().size();
    JniUtils.setNumThreads(threads);
    try (NDScope scope = new NDScope()) {
      List<NDArray> leaves = leaves(state);
      NDArray headWeight =
          Torch.array(manager, Head.weights(state.servedHead(), hidden), labels, hidden);
      NDArray headBias = Torch.array(manager, Head.biases(state.servedHead(), hidden), labels);
      headWeight.setRequiresGradient(true);
      headBias.setRequiresGradient(true);
      leaves.forEach(leaf -> leaf.setRequiresGradient(true));
      JniUtils.setGradMode(true);
      NDArray pooled = pooled(TokenBatch.slice(ids), trained(leaves));
      NDArray logits = Linear.linear(pooled, headWeight, headBias).singletonOrThrow();
      NDArray target = Torch.array(manager, target(state, batch), batch.size(), labels);
      NDArray loss = logits.logSoftmax(-1).mul(target).sum().neg();
      JniUtils.backward((PtNDArray) loss, (PtNDArray) manager.ones(new Shape()), false, false);
      JniUtils.setGradMode(false);
      float[] values = new float[layout.size()];
      int at = 0;
      for (NDArray leaf : leaves) {
        float[] gradient = leaf.getGradient().toFloatArray();
        System.arraycopy(gradient, 0, values, at, gradient.length);
        at += gradient.length;
      }
      return new Trainer.Gradients(
          loss.toFloatArray()[0],
          Head.rows(logits.toFloatArray(), labels),
          Head.rows(pooled.toFloatArray(), hidden),
          values,
          Head.join(
              headWeight.getGradient().toFloatArray(),
              headBias.getGradient().toFloatArray(),
              hidden));
    } finally {
      JniUtils.setGradMode(false);
    }
  }

  @Override
  public float[][] embed(TrainingState state, long[][] ids) {
    JniUtils.setNumThreads(threads);
    JniUtils.setGradMode(false);
    try (NDScope scope = new NDScope()) {
      NDArray pooled = pooled(TokenBatch.slice(ids), trained(leaves(state)));
      return Head.rows(pooled.toFloatArray(), config.hidden());
    }
  }

  /** The trained arrays, in the order of the layout. */
  private List<NDArray> leaves(TrainingState state) {
    float[] values = state.adapter().values();
    List<NDArray> leaves = new ArrayList<>();
    if (method instanceof Svft) {
      leaves.add(Torch.array(manager, values, values.length));
    } else if (method instanceof Lora lora) {
      for (AdapterLayout.Part part : layout.parts()) {
        EncoderWeight w = part.weight();
        int b = part.offset() + lora.rank() * w.in();
        int end = part.offset() + part.size();
        float[] down = Arrays.copyOfRange(values, part.offset(), b);
        leaves.add(Torch.array(manager, down, lora.rank(), w.in()));
        leaves.add(Torch.array(manager, Arrays.copyOfRange(values, b, end), w.out(), lora.rank()));
      }
    }
    return leaves;
  }

  private Trained trained(List<NDArray> leaves) {
    return method instanceof Svft
        ? new Trained(sigma.add(leaves.get(0)), List.of())
        : new Trained(null, leaves);
  }

  /** [batch, labels]: each example's share of the mean at its label, zero elsewhere. */
  private static float[] target(TrainingState state, List<TrainingExample> batch) {
    int labels = state.labels().size();
    double total = batch.stream().mapToDouble(TrainingExample::weight).sum();
    float[] target = new float[batch.size() * labels];
    for (int i = 0; i < batch.size(); i++) {
      int label = state.labels().indexOf(batch.get(i).label());
      target[i * labels + label] = (float) (batch.get(i).weight() / total);
    }
    return target;
  }

  /** The mean of each sequence's last hidden states: [sequences, hidden]. */
  private NDArray pooled(TokenBatch batch, Trained trained) {
    TokenBatch laidOut = packed ? batch : padded(batch);
    int sequences = batch.sequences();
    List<TokenBatch.SizeClass> size = batch.classes(Kernels.FAST);
    int places = size.get(0).places();
    NDArray padFrom = packed ? Torch.array(manager, batch.padFrom(1, size)) : null;
    NDArray packFrom = packed ? Torch.array(manager, batch.packFrom(1, size)) : null;
    NDArray mask = Torch.array(manager, batch.maskBias(1, size), sequences, 1, 1, places);
    NDArray x =
        rows(words, Torch.array(manager, laidOut.packedIds(laidOut.tokens())))
            .add(
                rows(
                    positions,
                    Torch.array(manager, laidOut.packedPositions(config, laidOut.tokens()))));
    x = norm(x, embeddingNorm);
    for (int layer = 0; layer < config.layers(); layer++) {
      int at = 6 * layer;
      List<NDArray> heads = new ArrayList<>();
      for (NDArray each : queryKeyValue(x, layer, trained)) {
        NDArray padded = packed ? rows(each, padFrom) : each;
        heads.add(
            padded
                .reshape(sequences, places, config.heads(), config.headWidth())
                .transpose(0, 2, 1, 3));
      }
      NDArray context =
          heads
              .get(0)
              .mul(inverseRoot)
              .matMul(heads.get(1).transpose(0, 1, 3, 2))
              .add(mask)
              .softmax(-1)
              .matMul(heads.get(2))
              .transpose(0, 2, 1, 3)
              .reshape((long) sequences * places, config.hidden());
      context = packed ? rows(context, packFrom) : context;
      x = norm(x.add(linear(context, at + 3, trained)), attentionNorms.get(layer));
      NDArray inner = Activation.gelu(linear(x, at + 4, trained));
      x = norm(x.add(linear(inner, at + 5, trained)), outputNorms.get(layer));
    }
    float[] mean = packed ? batch.pooling(Pooling.MEAN, batch.tokens()) : paddedPooling(batch);
    return Torch.array(manager, mean, sequences, laidOut.tokens()).matMul(x);
  }

  /** The same sequences, filled up with token 0 to the length of the longest. */
  private static TokenBatch padded(TokenBatch batch) {
    long[][] ids = new long[batch.sequences()][];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = Arrays.copyOf(batch.ids()[i], places(batch));
    }
    return TokenBatch.slice(ids);
  }

  private static int places(TokenBatch batch) {
    return batch.classes(Kernels.FAST).get(0).places();
  }

  /** [sequences, sequences · places]. */
  private static float[] paddedPooling(TokenBatch batch) {
    int sequences = batch.sequences();
    int places = places(batch);
    float[] weights = new float[sequences * sequences * places];
    for (int s = 0; s < sequences; s++) {
      int from = (s * sequences + s) * places;
      int length = batch.ids()[s].length;
      Arrays.fill(weights, from, from + length, 1f / length);
    }
    return weights;
  }

  private List<NDArray> queryKeyValue(NDArray x, int layer, Trained trained) {
    List<NDArray> out = new ArrayList<>();
    int at = 6 * layer;
    if (form == Form.FACTORED) {
      int hidden = config.hidden();
      int offset = layout.parts().get(at).offset();
      NDArray scale = slice(trained.scale(), offset, offset + 3 * hidden);
      NDArray z = linear(x, qkvVt.get(layer)).mul(scale);
      for (int i = 0; i < 3; i++) {
        BaseModel.Linear w = base.linears().get(at + i);
        NDArray third = z.get(new NDIndex(":, " + i * hidden + ":" + (i + 1) * hidden));
        out.add(linear(third, w.factors().u(), w.bias()));
      }
      return out;
    }
    for (int i = 0; i < 3; i++) {
      out.add(linear(x, at + i, trained));
    }
    return out;
  }

  /** x: [rows, in] → [rows, out]. */
  private NDArray linear(NDArray x, int index, Trained trained) {
    BaseModel.Linear w = base.linears().get(index);
    if (form == Form.DENSE) {
      return linear(x, w.dense(), w.bias());
    }
    if (form == Form.LORA) {
      NDArray low =
          linear(linear(x, trained.loras().get(2 * index)), trained.loras().get(2 * index + 1));
      return linear(x, w.dense(), w.bias()).add(low.mul(loraScale));
    }
    AdapterLayout.Part part = layout.parts().get(index);
    NDArray scale = slice(trained.scale(), part.offset(), part.offset() + part.size());
    if (form == Form.FACTORED) {
      return linear(linear(x, w.factors().vt()).mul(scale), w.factors().u(), w.bias());
    }
    NDArray s = unit.mul(scale);
    return linear(x, w.factors().u().matMul(s).matMul(w.factors().vt()), w.bias());
  }

  private static NDArray linear(NDArray x, NDArray weight) {
    return Linear.linear(x, weight).singletonOrThrow();
  }

  private static NDArray linear(NDArray x, NDArray weight, NDArray bias) {
    return Linear.linear(x, weight, bias).singletonOrThrow();
  }

  private static NDArray slice(NDArray vector, long from, long to) {
    return vector.get(new NDIndex(from + ":" + to));
  }

  private static NDArray rows(NDArray table, NDArray index) {
    return Embedding.embedding(index, table, SparseFormat.DENSE).singletonOrThrow();
  }

  private NDArray norm(NDArray x, Norm norm) {
    return LayerNorm.layerNorm(
            x, new Shape(config.hidden()), norm.weight(), norm.bias(), config.layerNormEps())
        .singletonOrThrow();
  }

  @Override
  public void close() {
    manager.close();
  }
}
