package io.millrace.client.settings;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.client.kafka.Connection;
import io.millrace.client.process.UsageException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("unit")
class EnvironmentVariablesTest {
  private static final Setting<Integer> BATCH = Setting.integer("serving.maxBatch", 16, 1, 99, "");
  private static final Setting<String> TOKEN = Setting.text("serving.rolloutToken", "", "");
  private static final Setting<String> FILE = Setting.text("serving.rolloutTokenFile", "", "");
  private static final List<Setting<?>> KNOWN = known();

  @TempDir private Path directory;

  private static List<Setting<?>> known() {
    List<Setting<?>> known = new ArrayList<>(List.of(BATCH, TOKEN, FILE));
    known.addAll(Connection.SETTINGS);
    return known;
  }

  private static Settings of(Map<String, String> environment, String... items) {
    return Settings.of(KNOWN, List.of(), environment, List.of(items));
  }

  private static void refused(Map<String, String> environment, String message) {
    assertThatThrownBy(() -> of(environment))
        .isInstanceOf(UsageException.class)
        .hasMessage(message);
  }

  @Test
  void aVariableIsNamedAfterItsKey() {
    assertThat(EnvironmentVariables.variable("serving.maxBatch"))
        .isEqualTo("MILLRACE_SERVING_MAX_BATCH");
    assertThat(EnvironmentVariables.variable("kafka.sasl.jaas.config"))
        .isEqualTo("MILLRACE_KAFKA_SASL_JAAS_CONFIG");
    assertThat(EnvironmentVariables.variable("flink.tolerable-failed.x"))
        .isEqualTo("MILLRACE_FLINK_TOLERABLE_FAILED_X");
  }

  @Test
  void itWinsOverTheFileAndAnItemOverIt() throws IOException {
    Path file = Files.writeString(directory.resolve("f"), "serving.maxBatch=2\n");
    Map<String, String> environment = Map.of("MILLRACE_SERVING_MAX_BATCH", "3", "PATH", "x");

    assertThat(Settings.of(KNOWN, List.of(file), environment, List.of()).get(BATCH)).isEqualTo(3);
    assertThat(
            Settings.of(KNOWN, List.of(file), environment, List.of("serving.maxBatch=4"))
                .get(BATCH))
        .isEqualTo(4);
    assertThat(Settings.of(KNOWN, List.of(file), Map.of(), List.of()).get(BATCH)).isEqualTo(2);
  }

  @Test
  void settingsOfOtherSystemsHaveOneTooUnderTheirOwnNames() {
    Settings settings =
        of(
            Map.of(
                "MILLRACE_KAFKA_BOOTSTRAP_SERVERS", "k:1",
                "MILLRACE_KAFKA_SASL_JAAS_CONFIG", "x required;",
                "MILLRACE_SCHEMA_REGISTRY_URL", "http://r",
                "MILLRACE_SCHEMA_REGISTRY_BASIC_AUTH_USER_INFO", "ada:x"));

    assertThat(settings.explicit())
        .isEqualTo(
            Map.of(
                "kafka.bootstrap.servers", "k:1",
                "kafka.sasl.jaas.config", "x required;",
                "schema.registry.url", "http://r",
                "schema.registry.basic.auth.user.info", "ada:x"));
  }

  @Test
  void wherePluginsMayKnowAnyNameDotsAreGuessed() {
    assertThat(
            of(
                    Map.of("MILLRACE_KAFKA_MY_OWN_SETTING", "1", "MILLRACE_KAFKA_LINGER_MS", "5"),
                    "kafka.metric.reporters=some.Class")
                .under("kafka."))
        .containsEntry("my.own.setting", "1")
        .containsEntry("linger.ms", "5");
  }

  @Test
  void aFileMayHoldTheValue() throws IOException {
    Path file = Files.writeString(directory.resolve("secret"), "t0ken\n");

    assertThat(of(Map.of("MILLRACE_SERVING_TOKENS_X_FILE", "other")).explicit()).isEmpty();
    assertThat(of(Map.of("MILLRACE_KAFKA_SASL_JAAS_CONFIG_FILE", file.toString())).explicit())
        .isEqualTo(Map.of("kafka.sasl.jaas.config", "t0ken"));
    assertThat(of(Map.of("MILLRACE_SERVING_ROLLOUT_TOKEN_FILE", file.toString())).explicit())
        .as("a setting of that name is meant")
        .isEqualTo(Map.of("serving.rolloutTokenFile", file.toString()));
    refused(
        Map.of("MILLRACE_KAFKA_SASL_JAAS_CONFIG_FILE", "/no/such"),
        "MILLRACE_KAFKA_SASL_JAAS_CONFIG_FILE: there is no file '/no/such'");
    refused(
        Map.of(
            "MILLRACE_SERVING_MAX_BATCH_FILE", file.toString(), "MILLRACE_SERVING_MAX_BATCH", "3"),
        "MILLRACE_SERVING_MAX_BATCH and MILLRACE_SERVING_MAX_BATCH_FILE are both set; choose one");
  }

  @Test
  void aValueThatIsNotAllowedIsRefusedByTheVariablesName() {
    refused(
        Map.of("MILLRACE_SERVING_MAX_BATCH", "many"),
        "environment variable MILLRACE_SERVING_MAX_BATCH: serving.maxBatch: 'many' is not a whole"
            + " number from 1 to 99");
  }

  @Test
  void aMisspeltOneIsRefusedAndThoseOfOtherProcessesAreLeftAlone() {
    refused(
        Map.of("MILLRACE_SERVING_MAXBATCH", "3"),
        "no setting is called 'MILLRACE_SERVING_MAXBATCH'; the nearest is"
            + " MILLRACE_SERVING_MAX_BATCH");
    refused(
        Map.of("MILLRACE_KAFKA_SASL_JAS_CONFIG", "secret"),
        "no setting is called 'MILLRACE_KAFKA_SASL_JAS_CONFIG'; the nearest is"
            + " MILLRACE_KAFKA_SASL_JAAS_CONFIG");
    assertThat(
            of(Map.of(
                    "MILLRACE_JAVA_OPTS", "-Xmx4g",
                    "MILLRACE_HOME", "/opt",
                    "MILLRACE_END_WITH_PARENT", "1",
                    "MILLRACE_JOB_NAME", "mine",
                    "MILLRACE_FLINK_REST_PORT", "1"))
                .explicit())
        .isEmpty();
  }

  @Test
  void aSecretIsInNoMessage() {
    String secret = "s3cret".repeat(2000);
    for (String key : List.of("serving.rolloutToken")) {
      assertThatThrownBy(() -> of(Map.of(), key + "=" + secret))
          .isInstanceOf(UsageException.class)
          .hasMessageNotContaining("s3cret");
      assertThatThrownBy(() -> of(Map.of(EnvironmentVariables.variable(key), secret)))
          .isInstanceOf(UsageException.class)
          .hasMessageNotContaining("s3cret");
    }
    assertThatThrownBy(() -> of(Map.of(), "kafka.sasl.jaas.config: s3cret"))
        .hasMessage("an item of --set is not a setting: write key=value");
  }

  @Test
  void secretsAreKnownByTheirNames() {
    for (String secret :
        List.of(
            "serving.rolloutToken",
            "serving.tokens.predict",
            "kafka.sasl.jaas.config",
            "kafka.ssl.key.password",
            "kafka.ssl.keystore.key",
            "kafka.sasl.oauthbearer.client.credentials.client.secret",
            "schema.registry.basic.auth.user.info",
            "schema.registry.bearer.auth.token",
            "flink.s3.access-key",
            "flink.s3.secret-key")) {
      assertThat(Secrets.isSecret(secret)).as(secret).isTrue();
    }
    for (String open :
        List.of(
            "serving.rolloutTokenFile",
            "serving.tokens.predictFile",
            "schema.registry.basic.auth.credentials.source",
            "serving.maxBatch",
            "kafka.ssl.keystore.location",
            "publish.signingKey")) {
      assertThat(Secrets.isSecret(open)).as(open).isFalse();
    }
  }
}
