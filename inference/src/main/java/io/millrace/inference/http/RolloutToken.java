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
import java.util.Locale;
import java.util.Optional;

/** The token that a client must show to decide about rollouts. Only its hash is kept. */
public final class RolloutToken {
  public static final Setting<String> TOKEN =
      Setting.text(
          "serving.rolloutToken",
          "",
          "Requests that carry it may decide about rollouts over HTTP; unless it is set, none may.");

  public static final Setting<String> TOKEN_FILE =
      Setting.text(
          "serving.rolloutTokenFile", "", "A file that holds serving.rolloutToken in one line.");

  private static final String SCHEME = "bearer ";

  private final byte[] hash;

  private RolloutToken(String token) {
    this.hash = hash(token);
  }

  /**
   * The token in the settings; empty where they name none.
   *
   * @throws UsageException where they name two, or the file does not hold one line
   */
  public static Optional<RolloutToken> of(Settings settings) {
    String token = settings.get(TOKEN);
    String file = settings.get(TOKEN_FILE);
    if (file.isEmpty()) {
      return Optional.of(token).filter(t -> !t.isEmpty()).map(RolloutToken::new);
    }
    if (!token.isEmpty()) {
      throw new UsageException(
          "serving.rolloutToken and serving.rolloutTokenFile are both set; choose one");
    }
    return Optional.of(new RolloutToken(read(Path.of(file))));
  }

  private static String read(Path file) {
    String key = TOKEN_FILE.key();
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
