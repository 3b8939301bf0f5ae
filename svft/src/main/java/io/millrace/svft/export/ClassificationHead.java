package io.millrace.svft.export;

import io.millrace.svft.method.AdapterException;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.task.Head;
import io.millrace.svft.tensor.Floats;
import io.millrace.svft.tensor.Safetensors;
import java.util.ArrayList;
import java.util.List;

/**
 * Expresses a linear head on the first token's vector x in the layers of the
 * sequence-classification models of Hugging Face transformers. Each of these models has a linear
 * layer D, d and an activation between x and the last linear layer C, c. For a head with weight W
 * and bias b, the layers are set so that the logits are W x + b, to within the rounding of float32.
 *
 * <ul>
 *   <li>BERT and RoBERTa: logits = C tanh(D x + d) + c. With D = εI, d = 0, C = W/ε, c = b the
 *       logits are W tanh(εx)/ε + b = W (x - ε²x³/3 + …) + b. The encoder ends with a layer
 *       normalisation, so |xᵢ| ≤ √(hidden - 1) |weightᵢ| + |biasᵢ| for every text. ε is the largest
 *       power of two that keeps ε²x²/3, the relative error, below half a unit in the last place of
 *       a float32. Scaling by a power of two does not round.
 *   <li>DistilBERT: logits = C relu(D x + d) + c. With D = [W; -W], d = [b; -b], C = [I, -I], c = 0
 *       they are relu(z) - relu(-z) = z = W x + b, exactly. This takes two rows of D per label. If
 *       there are more labels than half the width, D = I, C = W, and d raises every coordinate to
 *       at least zero, which c = b - W d compensates, up to the rounding of these sums.
 * </ul>
 */
final class ClassificationHead {
  private static final double HALF_ULP = 0x1p-24;

  private ClassificationHead() {}

  /**
   * The tensors of the two linear layers, under the names of transformers.
   *
   * @param config the shape of the encoder
   * @param head [labels, hidden + 1]
   * @param normWeight weight of the encoder's last layer normalisation, [hidden]
   * @param normBias its bias, [hidden]
   * @throws AdapterException if a value exceeds the range of float32
   */
  static List<Safetensors.Tensor> tensors(
      EncoderConfig config, float[] head, float[] normWeight, float[] normBias) {
    int hidden = config.hidden();
    float[] weight = Head.weights(head, hidden);
    float[] bias = Head.biases(head, hidden);
    List<Safetensors.Tensor> tensors =
        switch (config.architecture()) {
          case BERT -> tanh("bert.pooler.dense", "classifier", weight, bias, normWeight, normBias);
          case ROBERTA ->
              tanh("classifier.dense", "classifier.out_proj", weight, bias, normWeight, normBias);
          case DISTILBERT ->
              2 * bias.length <= hidden
                  ? twoSided(weight, bias, hidden)
                  : lifted(weight, bias, normWeight, normBias);
        };
    for (Safetensors.Tensor tensor : tensors) {
      if (!Floats.allFinite(tensor.values())) {
        throw new AdapterException(
            "the head cannot be written as a sequence-classification model: %s leaves the range of float32"
                .formatted(tensor.name()));
      }
    }
    return tensors;
  }

  /** The matrix [width, width] with {@code scale} on its diagonal, row-major. */
  static float[] identity(int width, float scale) {
    float[] identity = new float[width * width];
    for (int i = 0; i < width; i++) {
      identity[i * width + i] = scale;
    }
    return identity;
  }

  private static List<Safetensors.Tensor> tanh(
      String dense,
      String out,
      float[] weight,
      float[] bias,
      float[] normWeight,
      float[] normBias) {
    int hidden = normWeight.length;
    double largest = 0;
    for (int i = 0; i < hidden; i++) {
      largest = Math.max(largest, spread(normWeight, i) + Math.abs(normBias[i]));
    }
    int exponent = Math.min(0, Math.getExponent(Math.sqrt(3 * HALF_ULP) / largest));
    float[] unscaled = weight.clone();
    for (int i = 0; i < unscaled.length; i++) {
      unscaled[i] = Math.scalb(weight[i], -exponent);
    }
    List<Safetensors.Tensor> tensors = new ArrayList<>();
    add(tensors, dense, identity(hidden, Math.scalb(1f, exponent)), new float[hidden]);
    add(tensors, out, unscaled, bias);
    return tensors;
  }

  private static List<Safetensors.Tensor> twoSided(float[] weight, float[] bias, int hidden) {
    int labels = bias.length;
    float[] both = new float[hidden * hidden];
    float[] bothBias = new float[hidden];
    float[] difference = new float[labels * hidden];
    for (int label = 0; label < labels; label++) {
      for (int i = 0; i < hidden; i++) {
        both[label * hidden + i] = weight[label * hidden + i];
        both[(labels + label) * hidden + i] = -weight[label * hidden + i];
      }
      bothBias[label] = bias[label];
      bothBias[labels + label] = -bias[label];
      difference[label * hidden + label] = 1;
      difference[label * hidden + labels + label] = -1;
    }
    List<Safetensors.Tensor> tensors = new ArrayList<>();
    add(tensors, "pre_classifier", both, bothBias);
    add(tensors, "classifier", difference, new float[labels]);
    return tensors;
  }

  private static List<Safetensors.Tensor> lifted(
      float[] weight, float[] bias, float[] normWeight, float[] normBias) {
    int hidden = normWeight.length;
    float[] lift = new float[hidden];
    for (int i = 0; i < hidden; i++) {
      // Slightly above the bound, which rounding may exceed.
      lift[i] = (float) Math.max(0, 1.0001 * spread(normWeight, i) - normBias[i]);
    }
    float[] lowered = new float[bias.length];
    for (int label = 0; label < bias.length; label++) {
      double sum = bias[label];
      for (int i = 0; i < hidden; i++) {
        sum -= (double) weight[label * hidden + i] * lift[i];
      }
      lowered[label] = (float) sum;
    }
    List<Safetensors.Tensor> tensors = new ArrayList<>();
    add(tensors, "pre_classifier", identity(hidden, 1), lift);
    add(tensors, "classifier", weight, lowered);
    return tensors;
  }

  /**
   * The largest distance of coordinate i of a layer normalisation from its bias: √(hidden - 1)
   * |weightᵢ|.
   */
  private static double spread(float[] normWeight, int i) {
    return Math.sqrt(normWeight.length - 1) * Math.abs(normWeight[i]);
  }

  private static void add(
      List<Safetensors.Tensor> tensors, String module, float[] weight, float[] bias) {
    long[] shape = {bias.length, weight.length / bias.length};
    tensors.add(new Safetensors.Tensor(module + ".weight", shape, weight));
    tensors.add(new Safetensors.Tensor(module + ".bias", new long[] {bias.length}, bias));
  }
}
