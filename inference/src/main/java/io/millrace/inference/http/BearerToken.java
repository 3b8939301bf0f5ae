package io.millrace.inference.http;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** A token that clients must show. Only its hash is kept. */
public final class BearerToken {
  public static final Setting<String> ROLLOUT =
      Setting.text(
          "serving.rolloutToken",
          "",
          "Requests that carry it may decide about rollouts over HTTP; unless it is set, none may.");

  public static final Setting<String> ROLLOUT_FILE =
      Setting.text(
          "serving.rolloutTokenFile", "", "A file that holds serving.rolloutToken in one line.");

  public static final Setting<String> PREDICT =
      Setting.text(
          "serving.tokens.predict",
          "",
          "Only requests that carry it are given predictions; unless it is set, all are.");

  public static final Setting<String> PREDICT_FILE =
      Setting.text(
          "serving.tokens.predictFile",
          "",
          "A file that holds serving.tokens.predict in one line.");

  public static final Setting<String> FEEDBACK =
      Setting.text(
          "serving.tokens.feedback",
          "",
          "Only requests that carry it may give feedback; unless it is set, all may.");

  public static final Setting<String> FEEDBACK_FILE =
      Setting.text(
          "serving.tokens.feedbackFile",
          "",
          "A file that holds serving.tokens.feedback in one line.");

  /** The settings that {@link #of} reads. */
  public static final List<Setting<?>> SETTINGS =
      List.of(ROLLOUT, ROLLOUT_FILE, PREDICT, PREDICT_FILE, FEEDBACK, FEEDBACK_FILE);

  private static final String SCHEME = "bearer ";

  private final byte[] hash;

  private BearerToken(String token) {
    this.hash = hash(token);
  }

  /**
   * The token in the settings; empty where they name none.
   *
   * @param token the setting that holds it, and {@code file} the one that names its file
   * @throws UsageException where both are set, or the file does not hold one line
   */
  public static Optional<BearerToken> of(
      Settings settings, Setting<String> token, Setting<String> file) {
    String value = settings.get(token);
    String path = settings.get(file);
    if (path.isEmpty()) {
      return Optional.of(value).filter(t -> !t.isEmpty()).map(BearerToken::new);
    }
    if (!value.isEmpty()) {
      throw new UsageException(token.key() + " and " + file.key() + " are both set; choose one");
    }
    return Optional.of(new BearerToken(read(file.key(), Path.of(path))));
  }

  private static String read(String key, Path file) {
    try {
      String token = Files.readString(file).strip();
      if (token.isEmpty() || token.lines().count() > 1) {
        throw new UsageException(key + ": " + file + " does not hold one line, the token");
      }
      return token;
    } catch (IOException e) {
      String why = Files.exists(file) ? e.toString() : "there is no such file";
      throw new UsageException(key + ": " + file + " cannot be read: " + why, e);
    }
  }

  /**
   * Whether a request shows this token.
   *
   * @param authorization the value of the header Authorization; null where there is none
   */
  boolean isShownBy(String authorization) {
    // Hashes of one length: the time of the comparison reveals nothing about the token.
    return authorization != null
        && authorization.toLowerCase(Locale.ROOT).startsWith(SCHEME)
        && MessageDigest.isEqual(hash, hash(authorization.substring(SCHEME.length()).strip()));
  }

  private static byte[] hash(String token) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(token.getBytes(UTF_8));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
