package io.millrace.inference.serving;

import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * When versions began to serve for the first time since the start: of the latest {@value #MOST}, in
 * all domains together. Any thread may call.
 */
final class FirstServed {
  private static final int MOST = 20_000;

  /** The hash names its payload, and that its domain. */
  private final Map<String, Instant> bySha256 = new LinkedHashMap<>();

  /** A version serves; only its first time counts. */
  synchronized void serves(String sha256, Instant since) {
    bySha256.putIfAbsent(sha256, since);
    if (bySha256.size() > MOST) {
      bySha256.remove(bySha256.keySet().iterator().next());
    }
  }

  /** When it began to serve; empty where it never did, or long ago. */
  synchronized Optional<Instant> at(String sha256) {
    return Optional.ofNullable(bySha256.get(sha256));
  }
}
