package io.millrace.inference;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.client.settings.Settings;
import io.millrace.client.settings.SettingsOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.Yaml;
import org.yaml.snakeyaml.constructor.SafeConstructor;
import picocli.CommandLine;

/** Holds the service {@code serve} of the compose files against what the command accepts. */
@Tag("unit")
class ComposedServiceTest {
  @Test
  void theCommandTakesItsOptionsAndSettings() throws Exception {
    Map<String, Object> serve = serve("docker-compose.yml");
    List<?> arguments = (List<?>) serve.get("command");
    CommandLine command = new CommandLine(new ServeCommand());
    command.parseArgs(arguments.stream().skip(1).toArray(String[]::new));
    Map<String, String> environment = environment(serve);
    environment.putAll(environment(serve("docker-compose.secrets.yml")));
    Settings settings = ((SettingsOptions) command.getMixins().get("options")).load(environment);

    assertThat(arguments.get(0)).isEqualTo("serve");
    assertThat(settings.get(ServingSettings.HOST)).isEqualTo("0.0.0.0");
    assertThat(settings.get(ServingSettings.PORT)).isEqualTo(8080);
    assertThat(settings.explicit())
        .containsEntry("serving.allowedHosts", "serve,proxy")
        .containsEntry("serving.rolloutTokenFile", "/run/secrets/rollout-token")
        .containsEntry("serving.trustedKeys", "/run/secrets/signing-key-public")
        .containsEntry("log.console", "text");
  }

  private static Map<String, String> environment(Map<String, Object> service) {
    Map<String, String> environment = new TreeMap<>();
    ((Map<?, ?>) service.get("environment"))
        .forEach((name, value) -> environment.put((String) name, (String) value));
    return environment;
  }

  private static Map<String, Object> serve(String file) throws IOException {
    Map<String, Map<String, Map<String, Object>>> root =
        new Yaml(new SafeConstructor(new LoaderOptions()))
            .load(Files.readString(Path.of("..", file)));
    return root.get("services").get("serve");
  }
}
