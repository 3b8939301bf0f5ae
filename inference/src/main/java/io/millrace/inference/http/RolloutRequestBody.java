package io.millrace.inference.http;

import io.millrace.client.kafka.TraceContext;
import io.millrace.inference.decide.RolloutRequest;
import io.millrace.inference.decide.RolloutRequest.Action;
import io.millrace.schemas.RolloutPolicy;

/** Reads the body of {@code POST /v1/rollouts/ACTION}. */
final class RolloutRequestBody {
  /** Length of a reason or an author in characters; longer ones do not help a reader of the log. */
  private static final int MAX_WORDS = 1000;

  private RolloutRequestBody() {}

  /**
   * @param body JSON in UTF-8
   * @param trace of the request
   */
  static RolloutRequest parse(Action action, byte[] body, TraceContext trace)
      throws JsonBody.InvalidException {
    JsonBody json = JsonBody.parse(body, "the string domain");
    boolean canary = action == Action.CANARY;
    boolean policy = action == Action.POLICY;
    return new RolloutRequest(
        action,
        json.required("domain"),
        policy ? null : json.optionalLong("version"),
        canary || policy ? json.optionalNumber("share") : null,
        policy ? policy(json.required("policy")) : null,
        json.optionalLong("revision"),
        words(json, "reason", ""),
        words(json, "author", "http"),
        trace);
  }

  private static String words(JsonBody json, String field, String otherwise)
      throws JsonBody.InvalidException {
    String words = json.optional(field);
    if (words == null || words.isBlank()) {
      return otherwise;
    }
    if (words.length() > MAX_WORDS) {
      throw new JsonBody.InvalidException(
          "\"%s\" is %d characters long; %d are allowed"
              .formatted(field, words.length(), MAX_WORDS));
    }
    return words;
  }

  private static RolloutPolicy policy(String word) throws JsonBody.InvalidException {
    return switch (word) {
      case "latest" -> RolloutPolicy.LATEST;
      case "canary" -> RolloutPolicy.CANARY;
      case "manual" -> RolloutPolicy.MANUAL;
      default ->
          throw new JsonBody.InvalidException(
              "\"policy\" is none of latest, canary and manual; to pin a version, use pin");
    };
  }
}
