package io.millrace.inference.http;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.CharArrayReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.util.ArrayList;
import java.util.List;

/** A request's body: a JSON object in UTF-8. Unknown fields are ignored. */
final class JsonBody {
  private static final ObjectReader JSON =
      JsonMapper.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build()
          .reader();

  private static final char BYTE_ORDER_MARK = '\ufeff';

  private final JsonNode root;

  private JsonBody(JsonNode root) {
    this.root = root;
  }

  /** The body is not valid. The message is for the client. */
  static final class InvalidException extends Exception {
    private static final long serialVersionUID = 1;

    InvalidException(String message) {
      super(message);
    }
  }

  /**
   * @param body JSON in UTF-8
   * @param due what the body must contain, for the message
   */
  static JsonBody parse(byte[] body, String due) throws InvalidException {
    JsonNode root;
    try {
      // Of bytes, Jackson would guess the encoding, and take overlong forms.
      CharBuffer text = UTF_8.newDecoder().decode(ByteBuffer.wrap(body));
      if (text.hasRemaining() && text.get(text.position()) == BYTE_ORDER_MARK) {
        text.get();
      }
      root = JSON.readTree(new CharArrayReader(text.array(), text.position(), text.remaining()));
    } catch (CharacterCodingException e) {
      throw new InvalidException("the body is not UTF-8");
    } catch (JsonProcessingException e) {
      throw new InvalidException("the body is not JSON: " + e.getOriginalMessage());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    if (!root.isObject()) {
      throw new InvalidException("the body must be a JSON object with " + due);
    }
    return new JsonBody(root);
  }

  /**
   * An object in an array.
   *
   * @param due what it must contain, for the message
   */
  static JsonBody of(JsonNode node, String due) throws InvalidException {
    if (!node.isObject()) {
      throw new InvalidException("an input must be a JSON object with " + due);
    }
    return new JsonBody(node);
  }

  boolean has(String field) {
    return root.has(field);
  }

  /**
   * An array that must be present.
   *
   * @param max how many elements it may have; it must have one
   */
  List<JsonNode> requiredArray(String field, int max) throws InvalidException {
    JsonNode node = root.get(field);
    if (node == null || !node.isArray()) {
      throw new InvalidException("\"" + field + "\" is not an array");
    }
    if (node.isEmpty() || node.size() > max) {
      throw new InvalidException(
          "\"%s\" has %d elements; it must have 1 to %d".formatted(field, node.size(), max));
    }
    List<JsonNode> elements = new ArrayList<>();
    node.forEach(elements::add);
    return elements;
  }

  /** An object that is there. */
  JsonBody object(String field) throws InvalidException {
    JsonNode node = root.get(field);
    if (node == null || !node.isObject()) {
      throw new InvalidException("\"" + field + "\" is not an object");
    }
    return new JsonBody(node);
  }

  /** A string that must be present and not blank. */
  String required(String field) throws InvalidException {
    String value = optional(field);
    if (value == null) {
      throw new InvalidException("\"" + field + "\" is missing");
    }
    if (value.isBlank()) {
      throw new InvalidException("\"" + field + "\" is blank");
    }
    return value;
  }

  /** A string; null where the field is absent. */
  String optional(String field) throws InvalidException {
    JsonNode node = root.get(field);
    if (node == null) {
      return null;
    }
    if (!node.isTextual()) {
      throw new InvalidException("\"" + field + "\" is not a string");
    }
    String value = node.textValue();
    if (value.indexOf('\0') >= 0) {
      throw new InvalidException("\"" + field + "\" holds a NUL character");
    }
    if (hasLoneSurrogate(value)) {
      throw new InvalidException("\"" + field + "\" holds half of a surrogate pair");
    }
    return value;
  }

  /** A whole number; null where the field is absent. */
  Long optionalLong(String field) throws InvalidException {
    JsonNode node = root.get(field);
    if (node == null) {
      return null;
    }
    if (!node.isIntegralNumber() || !node.canConvertToLong()) {
      throw new InvalidException("\"" + field + "\" is not a whole number");
    }
    return node.longValue();
  }

  /** A number; null where the field is absent. */
  Double optionalNumber(String field) throws InvalidException {
    JsonNode node = root.get(field);
    if (node == null) {
      return null;
    }
    if (!node.isNumber()) {
      throw new InvalidException("\"" + field + "\" is not a number");
    }
    return node.doubleValue();
  }

  private static boolean hasLoneSurrogate(String value) {
    return value
        .codePoints()
        .anyMatch(c -> c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE);
  }
}
