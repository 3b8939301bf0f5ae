package io.millrace.inference;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;

/**
 * The body of a request to predict.
 *
 * @param requestId the client's own, given back in the answer; null where it gave none
 */
record PredictRequest(String domain, String text, String requestId) {
  private static final ObjectReader JSON =
      JsonMapper.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build()
          .reader();

  /** The body is not what it must be; the message is for the client. */
  static final class InvalidException extends Exception {
    private static final long serialVersionUID = 1;

    InvalidException(String message) {
      super(message);
    }
  }

  /**
   * @param body JSON in UTF-8
   */
  static PredictRequest parse(byte[] body) throws InvalidException {
    JsonNode root;
    try {
      root = JSON.readTree(body);
    } catch (JsonProcessingException e) {
      throw new InvalidException("the body is not JSON: " + e.getOriginalMessage());
    } catch (IOException e) {
      // Jackson reads from memory, so this is about the bytes: they are not UTF-8.
      throw new InvalidException("the body is not JSON: " + e.getMessage());
    }
    if (!root.isObject()) {
      throw new InvalidException("the body must be a JSON object with the strings domain and text");
    }
    return new PredictRequest(
        required(root, "domain"), required(root, "text"), optional(root, "requestId"));
  }

  private static String required(JsonNode root, String field) throws InvalidException {
    String value = optional(root, field);
    if (value == null) {
      throw new InvalidException("\"" + field + "\" is missing");
    }
    if (value.isBlank()) {
      throw new InvalidException("\"" + field + "\" is blank");
    }
    return value;
  }

  private static String optional(JsonNode root, String field) throws InvalidException {
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

  private static boolean hasLoneSurrogate(String value) {
    return value
        .codePoints()
        .anyMatch(c -> c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE);
  }
}
