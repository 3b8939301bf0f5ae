package io.millrace.pipeline.mlflow;

import java.nio.charset.StandardCharsets;

/** Names of registered models. */
final class MlflowNames {
  private MlflowNames() {}

  /**
   * The name of a domain's model. MLflow allows no slashes, colons, dots and quotes in it, so all
   * but letters, digits, {@code -} and {@code _} becomes a tilde and the byte in hexadecimal:
   * {@code films/old} is {@code millrace-films~2Fold}. Two domains never have one name.
   */
  static String model(String prefix, String domain) {
    StringBuilder name = new StringBuilder(prefix);
    domain
        .codePoints()
        .forEach(
            letter -> {
              if (Character.isLetterOrDigit(letter) || letter == '-' || letter == '_') {
                name.appendCodePoint(letter);
              } else {
                for (byte each : Character.toString(letter).getBytes(StandardCharsets.UTF_8)) {
                  name.append("~%02X".formatted(each));
                }
              }
            });
    return name.toString();
  }
}
