package io.millrace.inference;

import java.util.UUID;

/**
 * The body of a request to predict.
 *
 * @param requestId given back in the answer; made up where the client gave none
 */
record PredictRequest(String domain, String text, String requestId) {
  /**
   * @param body JSON in UTF-8
   */
  static PredictRequest parse(byte[] body) throws JsonBody.InvalidException {
    JsonBody json = JsonBody.parse(body, "the strings domain and text");
    String domain = json.required("domain");
    String text = json.required("text");
    String requestId = json.optional("requestId");
    return new PredictRequest(
        domain, text, requestId == null ? UUID.randomUUID().toString() : requestId);
  }
}
