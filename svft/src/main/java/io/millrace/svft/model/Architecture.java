package io.millrace.svft.model;

import com.fasterxml.jackson.annotation.JsonValue;
import io.millrace.svft.tensor.Kernels;
import io.millrace.svft.tensor.TorchScript;
import java.util.List;
import java.util.Optional;

/**
 * A family of encoders: BERT (Devlin et al., 2019), RoBERTa (Liu et al., 2019), DistilBERT (Sanh et
 * al., 2019). All compute the same layer. They differ in positions, in token types and in the names
 * of their tensors. The names are those of Hugging Face checkpoints, without the prefix of a task
 * model; store, basis and adapters use the same names.
 */
public enum Architecture {
  BERT("bert"),
  /** Positions start at the padding token's id + 1. */
  ROBERTA("roberta"),
  /** Has no token types. */
  DISTILBERT("distilbert");

  private final String id;

  Architecture(String id) {
    this.id = id;
  }

  /**
   * The engine's program that computes this family. Its source belongs to the engine. It is named
   * here, as a resource, because the base model holds the program that all passes share.
   */
  public TorchScript.Source program(Kernels kernels) {
    return new TorchScript.Source(
        "/io/millrace/svft/engine/",
        "Encoder",
        List.of(
            "linear",
            "adapted",
            "attention",
            "feed_forward",
            "norm",
            "pooling",
            "sampling",
            "classification",
            kernels.primitives()));
  }

  /** The {@code model_type} in {@code config.json}. */
  @JsonValue
  public String id() {
    return id;
  }

  /**
   * The name of the linear module of a role. Its tensors are this name with {@code .weight} and
   * {@code .bias}.
   *
   * @param layer counted from 0
   */
  public String module(int layer, WeightRole role) {
    return layer(layer) + (this == DISTILBERT ? distilBertModule(role) : bertModule(role));
  }

  private static String bertModule(WeightRole role) {
    return switch (role) {
      case QUERY -> "attention.self.query";
      case KEY -> "attention.self.key";
      case VALUE -> "attention.self.value";
      case ATTENTION_OUTPUT -> "attention.output.dense";
      case INTERMEDIATE -> "intermediate.dense";
      case OUTPUT -> "output.dense";
    };
  }

  private static String distilBertModule(WeightRole role) {
    return switch (role) {
      case QUERY -> "attention.q_lin";
      case KEY -> "attention.k_lin";
      case VALUE -> "attention.v_lin";
      case ATTENTION_OUTPUT -> "attention.out_lin";
      case INTERMEDIATE -> "ffn.lin1";
      case OUTPUT -> "ffn.lin2";
    };
  }

  /** The name of the layer normalisation after attention. */
  public String attentionNorm(int layer) {
    return layer(layer) + (this == DISTILBERT ? "sa_layer_norm" : "attention.output.LayerNorm");
  }

  /** The name of the layer normalisation at the end of a layer. */
  public String outputNorm(int layer) {
    return layer(layer) + (this == DISTILBERT ? "output_layer_norm" : "output.LayerNorm");
  }

  private String layer(int layer) {
    return (this == DISTILBERT ? "transformer.layer." : "encoder.layer.") + layer + ".";
  }

  /** The name of the word embedding [vocabulary, hidden]. */
  public String wordEmbeddings() {
    return "embeddings.word_embeddings.weight";
  }

  /** The name of the position embedding [{@link EncoderConfig#positionRows}, hidden]. */
  public String positionEmbeddings() {
    return "embeddings.position_embeddings.weight";
  }

  /**
   * The name of the token type embedding [typeVocabulary, hidden]; empty for a family without token
   * types.
   */
  public Optional<String> typeEmbeddings() {
    return this == DISTILBERT
        ? Optional.empty()
        : Optional.of("embeddings.token_type_embeddings.weight");
  }

  /** The name of the layer normalisation of the summed embeddings. */
  public String embeddingNorm() {
    return "embeddings.LayerNorm";
  }
}
