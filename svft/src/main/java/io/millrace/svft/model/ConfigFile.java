package io.millrace.svft.model;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.millrace.svft.tensor.Safetensors;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Collectors;

/**
 * A {@code config.json} of Hugging Face transformers. Every field that changes what an encoder
 * computes is read or refused. A missing field has the default of transformers, if there is one.
 */
public final class ConfigFile {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final double DEFAULT_EPS = 1e-12;

  private final Path file;
  private final JsonNode root;

  /**
   * Reads the file.
   *
   * @throws ModelException if the file is not a JSON object
   * @throws IOException if the file cannot be read
   */
  public ConfigFile(Path file) throws IOException {
    this.file = file;
    this.root = object(file);
  }

  /**
   * Reads a JSON object.
   *
   * @throws ModelException if the file holds anything else
   */
  static JsonNode object(Path file) throws IOException {
    JsonNode node = json(file);
    if (!node.isObject()) {
      throw new ModelException(file + ": not a JSON object");
    }
    return node;
  }

  /**
   * Reads JSON.
   *
   * @throws ModelException if the file is not JSON
   */
  static JsonNode json(Path file) throws IOException {
    try {
      return JSON.readTree(file.toFile());
    } catch (JsonProcessingException e) {
      throw new ModelException(
          file + ": not JSON: " + Safetensors.oneLine(e.getOriginalMessage()), e);
    }
  }

  /**
   * The encoder that the file describes.
   *
   * @param pooling how the encoder is pooled; the file does not say it
   * @throws ModelException if a field is missing, malformed or has a value that is not supported
   */
  public EncoderConfig encoder(Pooling pooling) {
    Architecture architecture = architecture();
    refuseOtherThan("position_embedding_type", "absolute");
    refuseTrue("is_decoder");
    refuseTrue("add_cross_attention");
    for (String field : new String[] {"pruned_heads", "quantization_config"}) {
      if (!root.path(field).isEmpty()) {
        throw refused(field, "not supported");
      }
    }
    EncoderConfig config =
        architecture == Architecture.DISTILBERT ? distilBert(pooling) : bert(architecture, pooling);
    return config;
  }

  private Architecture architecture() {
    JsonNode type = root.path("model_type");
    for (Architecture each : Architecture.values()) {
      if (type.isTextual() && each.id().equals(type.asText())) {
        return each;
      }
    }
    throw refused(
        "model_type",
        "supported are "
            + Arrays.stream(Architecture.values())
                .map(Architecture::id)
                .collect(Collectors.joining(", ")));
  }

  private EncoderConfig bert(Architecture architecture, Pooling pooling) {
    refuseOtherThan("hidden_act", "gelu");
    int positions = count("max_position_embeddings");
    int offset = 0;
    if (architecture == Architecture.ROBERTA) {
      int padding = root.has("pad_token_id") ? number("pad_token_id", 0) : 1;
      offset = padding + 1;
      if (offset < 0 || offset >= positions) {
        throw refused(
            "pad_token_id",
            "positions start one above it, and max_position_embeddings is " + positions);
      }
    }
    return new EncoderConfig(
        architecture,
        pooling,
        count("num_hidden_layers"),
        width("hidden_size", "num_attention_heads"),
        count("num_attention_heads"),
        count("intermediate_size"),
        count("vocab_size"),
        positions - offset,
        offset,
        root.has("type_vocab_size") ? count("type_vocab_size") : 2,
        epsilon());
  }

  private EncoderConfig distilBert(Pooling pooling) {
    refuseOtherThan("activation", "gelu");
    return new EncoderConfig(
        Architecture.DISTILBERT,
        pooling,
        count("n_layers"),
        width("dim", "n_heads"),
        count("n_heads"),
        count("hidden_dim"),
        count("vocab_size"),
        count("max_position_embeddings"),
        0,
        0,
        (float) DEFAULT_EPS);
  }

  private int width(String field, String headsField) {
    int hidden = count(field);
    int heads = count(headsField);
    if (hidden % heads != 0) {
      throw refused(headsField, "it does not divide " + field + ", which is " + hidden);
    }
    return hidden;
  }

  private float epsilon() {
    JsonNode eps = root.path("layer_norm_eps");
    double value = eps.isMissingNode() ? DEFAULT_EPS : eps.asDouble(Double.NaN);
    if (!(value > 0 && value < 1) || !(eps.isMissingNode() || eps.isNumber())) {
      throw refused("layer_norm_eps", "it is a number between 0 and 1");
    }
    return (float) value;
  }

  private int count(String field) {
    return number(field, 1);
  }

  private int number(String field, int least) {
    JsonNode node = root.path(field);
    if (!node.isIntegralNumber() || !node.canConvertToInt() || node.asInt() < least) {
      throw refused(field, "it is a whole number from " + least + " on");
    }
    return node.asInt();
  }

  /**
   * Refuses a field with another value. A missing field passes, because the supported value is the
   * default of transformers.
   */
  private void refuseOtherThan(String field, String supported) {
    JsonNode node = root.path(field);
    boolean missing = node.isMissingNode() || node.isNull();
    if (!missing && !(node.isTextual() && node.asText().equals(supported))) {
      throw refused(field, "only \"" + supported + "\" is supported");
    }
  }

  private void refuseTrue(String field) {
    JsonNode node = root.path(field);
    if (!node.isMissingNode() && !node.isNull() && !(node.isBoolean() && !node.asBoolean())) {
      throw refused(field, "only encoders are supported, where it is false");
    }
  }

  private ModelException refused(String field, String why) {
    JsonNode node = root.path(field);
    return new ModelException(
        "%s: field %s is %s; %s"
            .formatted(
                file,
                field,
                node.isMissingNode() ? "missing" : Safetensors.oneLine(node.toString()),
                why));
  }
}
