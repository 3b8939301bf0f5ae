package io.millrace.pipeline.mlflow;

import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import java.util.Optional;

/** Settings of the mirror. */
public final class MlflowSettings {
  public static final Setting<String> SERVER =
      Setting.text(
          "mlflow.uri", "http://127.0.0.1:5000", "MLflow's tracking server: http or https.");

  public static final Setting<String> PREFIX =
      Setting.text("mlflow.prefix", "millrace-", "What the names of registered models begin with.");

  public static final Setting<String> GROUP =
      Setting.text(
          "mlflow.group",
          "millrace-mlflow",
          "The consumer group that keeps how far the mirror came; another one for each MLflow.");

  public static final Setting<String> TOKEN =
      Setting.text("mlflow.token", "", "Sent to MLflow as bearer token; none unless set.");

  public static final Setting<String> TOKEN_FILE =
      Setting.text("mlflow.tokenFile", "", "A file that holds mlflow.token in one line.");

  public static final Setting<String> USERNAME =
      Setting.text(
          "mlflow.username", "", "User of MLflow's basic authentication; none unless set.");

  public static final Setting<String> PASSWORD =
      Setting.text("mlflow.password", "", "Password of mlflow.username.");

  /** All of them. */
  public static final List<Setting<?>> ALL =
      List.of(SERVER, PREFIX, GROUP, TOKEN, TOKEN_FILE, USERNAME, PASSWORD);

  private MlflowSettings() {}

  /**
   * Where MLflow is.
   *
   * @throws UsageException where that is no address
   */
  public static URI uri(Settings settings) {
    String text = settings.get(SERVER);
    try {
      URI uri = URI.create(text);
      boolean http = "http".equals(uri.getScheme()) || "https".equals(uri.getScheme());
      if (http && uri.getHost() != null && uri.getQuery() == null && uri.getUserInfo() == null) {
        return uri;
      }
    } catch (IllegalArgumentException e) {
      // Said below.
    }
    // Not repeated where it may hold a password.
    if (text.contains("@")) {
      throw new UsageException(
          "%s is an address alone: credentials belong in %s and %s, or in %s"
              .formatted(SERVER.key(), USERNAME.key(), PASSWORD.key(), TOKEN.key()));
    }
    throw new UsageException(
        "%s=%s is no address such as https://mlflow.example.org".formatted(SERVER.key(), text));
  }

  /**
   * The value of the header Authorization.
   *
   * @throws UsageException where two are set, or the file does not hold one line
   */
  public static Optional<String> authorization(Settings settings) {
    String token = token(settings);
    String user = settings.get(USERNAME);
    if (!token.isEmpty() && !user.isEmpty()) {
      throw new UsageException(
          "%s and %s are both set; choose one".formatted(TOKEN.key(), USERNAME.key()));
    }
    if (!token.isEmpty()) {
      return Optional.of("Bearer " + token);
    }
    if (user.isEmpty()) {
      return Optional.empty();
    }
    byte[] credentials = (user + ":" + settings.get(PASSWORD)).getBytes(StandardCharsets.UTF_8);
    return Optional.of("Basic " + Base64.getEncoder().encodeToString(credentials));
  }

  /**
   * White space around it is not part of it: what a file or a secret holds often ends with a line
   * feed. Errors do not repeat it, as those of the client would.
   */
  private static String token(Settings settings) {
    String file = settings.get(TOKEN_FILE);
    if (!file.isEmpty() && !settings.get(TOKEN).isEmpty()) {
      throw new UsageException(
          "%s and %s are both set; choose one".formatted(TOKEN.key(), TOKEN_FILE.key()));
    }
    String token = (file.isEmpty() ? settings.get(TOKEN) : read(file)).strip();
    boolean sendable = token.chars().allMatch(c -> c >= ' ' && c <= '~');
    if (!sendable || (token.isEmpty() && !file.isEmpty())) {
      throw new UsageException(
          (file.isEmpty() ? TOKEN.key() : TOKEN_FILE.key() + ": " + file)
              + " does not hold one line of ASCII characters, the token");
    }
    return token;
  }

  private static String read(String file) {
    try {
      return Files.readString(Path.of(file));
    } catch (IOException e) {
      throw new UsageException(TOKEN_FILE.key() + ": " + file + " cannot be read: " + e, e);
    }
  }
}
