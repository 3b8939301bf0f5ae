package io.millrace.svft;

import java.util.ArrayList;
import java.util.List;

/**
 * Shape of a BERT encoder.
 *
 * @param layers number of transformer layers
 * @param hidden width of a token's vector
 * @param heads attention heads; they divide {@code hidden}
 * @param intermediate width inside a feed-forward block
 * @param vocabulary rows of the word embedding
 * @param maxPositions longest sequence in tokens
 * @param layerNormEps epsilon of every layer normalisation
 */
public record EncoderConfig(
    int layers,
    int hidden,
    int heads,
    int intermediate,
    int vocabulary,
    int maxPositions,
    float layerNormEps) {

  public EncoderConfig {
    if (layers < 1 || hidden < 1 || heads < 1 || intermediate < 1 || hidden % heads != 0) {
      throw new IllegalArgumentException(
          "not an encoder: layers %d, hidden %d, heads %d, intermediate %d"
              .formatted(layers, hidden, heads, intermediate));
    }
  }

  /** Width of one attention head. */
  public int headWidth() {
    return hidden / heads;
  }

  /**
   * The linear weights SVFT adapts, in the fixed order in which M's values are stored: per layer
   * query, key, value, attention output, intermediate, output.
   */
  public List<AdaptedWeight> adaptedWeights() {
    List<AdaptedWeight> weights = new ArrayList<>();
    int offset = 0;
    for (int layer = 0; layer < layers; layer++) {
      String prefix = "encoder.layer." + layer + ".";
      for (AdaptedWeight w :
          List.of(
              new AdaptedWeight(prefix + "attention.self.query", hidden, hidden, 0),
              new AdaptedWeight(prefix + "attention.self.key", hidden, hidden, 0),
              new AdaptedWeight(prefix + "attention.self.value", hidden, hidden, 0),
              new AdaptedWeight(prefix + "attention.output.dense", hidden, hidden, 0),
              new AdaptedWeight(prefix + "intermediate.dense", intermediate, hidden, 0),
              new AdaptedWeight(prefix + "output.dense", hidden, intermediate, 0))) {
        weights.add(new AdaptedWeight(w.name(), w.out(), w.in(), offset));
        offset += w.rank();
      }
    }
    return List.copyOf(weights);
  }

  /** Trainable values of M over all adapted weights under the plain pattern. */
  public int plainValues() {
    return adaptedWeights().stream().mapToInt(AdaptedWeight::rank).sum();
  }
}
