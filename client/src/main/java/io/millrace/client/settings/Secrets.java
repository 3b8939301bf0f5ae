package io.millrace.client.settings;

import java.util.regex.Pattern;

/** Which settings hold secrets, by their names: those of other systems are not declared here. */
final class Secrets {
  private static final Pattern NAME =
      Pattern.compile(
          "(?i)password|passphrase|secret|jaas|user\\.info|credentials?$|keystore\\.key$"
              + "|access[.-]?key|token(?!.*(file|source|url|class|uri)$)|(^|[.])tokens[.](?!.*file$)");

  private Secrets() {}

  /** Whether the value of {@code key} must not be shown. */
  static boolean isSecret(String key) {
    return NAME.matcher(key).find();
  }
}
