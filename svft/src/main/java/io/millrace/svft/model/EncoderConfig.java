package io.millrace.svft.model;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;

/**
 * The shape of an encoder, and how its output is pooled to one vector per text.
 *
 * @param layers number of transformer layers
 * @param hidden width of a token's vector
 * @param heads number of attention heads; divides {@code hidden}
 * @param intermediate width inside a feed-forward block
 * @param vocabulary rows of the word embedding
 * @param maxPositions longest sequence in tokens
 * @param positionOffset row of the position embedding for the first token that is not padding: 0,
 *     or, in RoBERTa, the padding token's id + 1
 * @param typeVocabulary rows of the token type embedding; 0 if the family has no token types
 * @param layerNormEps epsilon of every layer normalisation
 */
public record EncoderConfig(
    Architecture architecture,
    Pooling pooling,
    int layers,
    int hidden,
    int heads,
    int intermediate,
    int vocabulary,
    int maxPositions,
    int positionOffset,
    int typeVocabulary,
    float layerNormEps) {

  /**
   * @throws IllegalArgumentException if a value is missing or out of range, or {@code heads} does
   *     not divide {@code hidden}
   */
  public EncoderConfig {
    if (architecture == null || pooling == null) {
      throw new IllegalArgumentException(
          "not an encoder: architecture %s, pooling %s"
              .formatted(
                  architecture == null ? "missing" : architecture.id(),
                  pooling == null ? "missing" : pooling.id()));
    }
    if (layers < 1 || hidden < 1 || heads < 1 || intermediate < 1 || hidden % heads != 0) {
      throw new IllegalArgumentException(
          "not an encoder: layers %d, hidden %d, heads %d, intermediate %d"
              .formatted(layers, hidden, heads, intermediate));
    }
    boolean hasTypes = architecture.typeEmbeddings().isPresent();
    if (vocabulary < 1
        || maxPositions < 1
        || positionOffset < 0
        || (hasTypes ? typeVocabulary < 1 : typeVocabulary != 0)
        || !(layerNormEps >= 0 && layerNormEps < 1)) {
      throw new IllegalArgumentException(
          "not an encoder: %s, vocabulary %d, maxPositions %d, positionOffset %d, typeVocabulary %d, layerNormEps %s"
              .formatted(
                  architecture.id(),
                  vocabulary,
                  maxPositions,
                  positionOffset,
                  typeVocabulary,
                  layerNormEps));
    }
  }

  /** Width of one attention head. */
  public int headWidth() {
    return hidden / heads;
  }

  /**
   * The row of the position embedding for padding tokens; it is also their token id. Only RoBERTa
   * has one. Its positions count from the row above.
   */
  public OptionalInt paddingRow() {
    return architecture == Architecture.ROBERTA && positionOffset > 0
        ? OptionalInt.of(positionOffset - 1)
        : OptionalInt.empty();
  }

  /** Number of rows of the position embedding. */
  public int positionRows() {
    return positionOffset + maxPositions;
  }

  /** The linear weights, layer after layer, within a layer in the order of {@link WeightRole}. */
  public List<EncoderWeight> weights() {
    List<EncoderWeight> weights = new ArrayList<>();
    for (int layer = 0; layer < layers; layer++) {
      for (WeightRole role : WeightRole.values()) {
        int out = role == WeightRole.INTERMEDIATE ? intermediate : hidden;
        int in = role == WeightRole.OUTPUT ? intermediate : hidden;
        weights.add(new EncoderWeight(architecture.module(layer, role), role, layer, out, in));
      }
    }
    return List.copyOf(weights);
  }

  /**
   * The modules of the layer normalisations in the order of a forward pass. Each has a weight and a
   * bias [hidden], {@code .weight} and {@code .bias}.
   */
  public List<String> norms() {
    List<String> norms = new ArrayList<>();
    norms.add(architecture.embeddingNorm());
    for (int layer = 0; layer < layers; layer++) {
      norms.add(architecture.attentionNorm(layer));
      norms.add(architecture.outputNorm(layer));
    }
    return List.copyOf(norms);
  }

  /** The shape of every tensor of the encoder by its name, in the order of a forward pass. */
  public Map<String, long[]> tensors() {
    Map<String, long[]> tensors = new LinkedHashMap<>();
    tensors.put(architecture.wordEmbeddings(), new long[] {vocabulary, hidden});
    tensors.put(architecture.positionEmbeddings(), new long[] {positionRows(), hidden});
    architecture
        .typeEmbeddings()
        .ifPresent(name -> tensors.put(name, new long[] {typeVocabulary, hidden}));
    norm(tensors, architecture.embeddingNorm());
    for (EncoderWeight w : weights()) {
      tensors.put(w.name() + ".weight", new long[] {w.out(), w.in()});
      tensors.put(w.name() + ".bias", new long[] {w.out()});
      if (w.role() == WeightRole.ATTENTION_OUTPUT) {
        norm(tensors, architecture.attentionNorm(w.layer()));
      } else if (w.role() == WeightRole.OUTPUT) {
        norm(tensors, architecture.outputNorm(w.layer()));
      }
    }
    return tensors;
  }

  private void norm(Map<String, long[]> tensors, String module) {
    tensors.put(module + ".weight", new long[] {hidden});
    tensors.put(module + ".bias", new long[] {hidden});
  }
}
