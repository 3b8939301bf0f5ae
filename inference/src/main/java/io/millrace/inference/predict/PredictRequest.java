package io.millrace.inference.predict;

import io.millrace.inference.http.JsonBody;
import java.util.UUID;

/**
 * The body of a request to predict.
 *
 * @param requestId given back in the answer; made up where the client gave none
 * @param key assigns the request to a version while a candidate is tried: the same key, the same
 *     version; the request's id where the client gave none
 */
public record PredictRequest(String domain, String text, String requestId, String key) {
  /**
   * @param body JSON in UTF-8
   */
  public static PredictRequest parse(byte[] body) throws JsonBody.InvalidException {
    JsonBody json = JsonBody.parse(body, "the strings domain and text");
    String domain = json.required("domain");
    String text = json.required("text");
    String own = json.optional("requestId");
    String requestId = own == null ? UUID.randomUUID().toString() : own;
    String key = json.optional("key");
    return new PredictRequest(domain, text, requestId, key == null ? requestId : key);
  }
}
