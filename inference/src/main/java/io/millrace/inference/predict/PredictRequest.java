package io.millrace.inference.predict;

/**
 * A request to predict.
 *
 * @param requestId returned with the answer; feedback on the answer names it
 * @param key assigns the request to a version while a candidate is tried: the same key, the same
 *     version
 */
public record PredictRequest(String domain, String text, String requestId, String key) {}
