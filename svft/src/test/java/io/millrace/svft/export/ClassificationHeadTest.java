package io.millrace.svft.export;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.svft.method.AdapterException;
import io.millrace.svft.model.Architecture;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.model.Pooling;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Compares the layers of a sequence-classification model with the linear head that they express.
 */
@Tag("unit")
class ClassificationHeadTest {
  private static final int HIDDEN = 384;

  private final Random random = new Random(7);

  /** Rounds each layer to float32 and uses x up to its largest possible value. */
  @ParameterizedTest
  @CsvSource({
    "BERT, 3, 1",
    "BERT, 400, 1",
    "BERT, 3, 0.001",
    "BERT, 3, 1000",
    "ROBERTA, 3, 1",
    "ROBERTA, 400, 30",
    "DISTILBERT, 1, 1",
    "DISTILBERT, 192, 1",
    "DISTILBERT, 192, 1000"
  })
  void logitsAreTheHeadsToAFewUnitsInTheLastPlace(
      Architecture architecture, int labels, float scale) {
    assertThat(largestError(architecture, labels, scale)).isLessThan(1e-6);
  }

  /** Raising every coordinate above zero costs few digits. */
  @ParameterizedTest
  @CsvSource({"193, 1", "400, 0.01", "400, 100"})
  void distilBertWithMoreLabelsThanHalfItsWidthIsAlmostAsClose(int labels, float scale) {
    assertThat(largestError(Architecture.DISTILBERT, labels, scale)).isLessThan(1e-5);
  }

  @Test
  void aHeadThatFloat32CannotHoldScaledIsRefused() {
    float[] huge = new float[HIDDEN + 1];
    huge[5] = Float.MAX_VALUE;
    float[] ones = new float[HIDDEN];
    Arrays.fill(ones, 1);

    assertThatThrownBy(
            () ->
                ClassificationHead.tensors(
                    config(Architecture.BERT), huge, ones, new float[HIDDEN]))
        .isInstanceOf(AdapterException.class)
        .hasMessageContaining("classifier.weight leaves the range of float32");
  }

  /**
   * The largest error of a logit, relative to the sum of the magnitudes of its terms. The vectors
   * are possible outputs of a layer normalisation of the given scale, some with all of their length
   * in one coordinate.
   */
  private double largestError(Architecture architecture, int labels, float scale) {
    float[] normWeight = gaussian(HIDDEN, scale);
    float[] normBias = gaussian(HIDDEN, scale / 10);
    float[] head = gaussian(labels * (HIDDEN + 1), 0.1f);
    Map<String, float[]> layers = new HashMap<>();
    ClassificationHead.tensors(config(architecture), head, normWeight, normBias)
        .forEach(tensor -> layers.put(tensor.name(), tensor.values()));
    double largest = 0;
    for (int n = 0; n < 60; n++) {
      float[] x = normalised(n, normWeight, normBias);
      float[] logits = forward(architecture, layers, x);
      for (int label = 0; label < labels; label++) {
        double exact = head[label * (HIDDEN + 1) + HIDDEN];
        double magnitudes = Math.abs(exact);
        for (int i = 0; i < HIDDEN; i++) {
          double term = (double) head[label * (HIDDEN + 1) + i] * x[i];
          exact += term;
          magnitudes += Math.abs(term);
        }
        largest = Math.max(largest, Math.abs(logits[label] - exact) / magnitudes);
      }
    }
    return largest;
  }

  private float[] normalised(int n, float[] weight, float[] bias) {
    double[] z = new double[HIDDEN];
    for (int i = 0; i < HIDDEN; i++) {
      z[i] = n % 2 == 0 ? random.nextGaussian() : 0;
    }
    if (n % 2 == 1) {
      z[random.nextInt(HIDDEN)] = n % 4 == 1 ? 1 : -1;
    }
    double mean = 0;
    double variance = 0;
    for (double value : z) {
      mean += value / HIDDEN;
    }
    for (double value : z) {
      variance += (value - mean) * (value - mean) / HIDDEN;
    }
    float[] x = new float[HIDDEN];
    for (int i = 0; i < HIDDEN; i++) {
      x[i] = (float) ((z[i] - mean) / Math.sqrt(variance) * weight[i] + bias[i]);
    }
    return x;
  }

  private static float[] forward(
      Architecture architecture, Map<String, float[]> layers, float[] x) {
    return switch (architecture) {
      case BERT -> linear(layers, "classifier", tanh(linear(layers, "bert.pooler.dense", x)));
      case ROBERTA ->
          linear(layers, "classifier.out_proj", tanh(linear(layers, "classifier.dense", x)));
      case DISTILBERT -> linear(layers, "classifier", relu(linear(layers, "pre_classifier", x)));
    };
  }

  private static float[] linear(Map<String, float[]> layers, String module, float[] x) {
    float[] weight = layers.get(module + ".weight");
    float[] bias = layers.get(module + ".bias");
    float[] y = new float[bias.length];
    for (int o = 0; o < y.length; o++) {
      double sum = bias[o];
      for (int i = 0; i < x.length; i++) {
        sum += (double) weight[o * x.length + i] * x[i];
      }
      y[o] = (float) sum;
    }
    return y;
  }

  private static float[] tanh(float[] x) {
    for (int i = 0; i < x.length; i++) {
      x[i] = (float) Math.tanh(x[i]);
    }
    return x;
  }

  private static float[] relu(float[] x) {
    for (int i = 0; i < x.length; i++) {
      x[i] = Math.max(0, x[i]);
    }
    return x;
  }

  private float[] gaussian(int size, float deviation) {
    float[] values = new float[size];
    for (int i = 0; i < size; i++) {
      values[i] = (float) (deviation * random.nextGaussian());
    }
    return values;
  }

  private static EncoderConfig config(Architecture architecture) {
    int types = architecture == Architecture.DISTILBERT ? 0 : 2;
    return new EncoderConfig(
        architecture, Pooling.FIRST_TOKEN, 1, HIDDEN, 2, 16, 10, 16, 0, types, 1e-12f);
  }
}
