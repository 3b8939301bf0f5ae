package io.millrace.inference;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.client.settings.Settings;
import io.millrace.client.settings.SettingsOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.Yaml;
import org.yaml.snakeyaml.constructor.SafeConstructor;
import picocli.CommandLine;

/** Holds the service {@code serve} of docker-compose.yml against what the command accepts. */
@Tag("unit")
class ComposedServiceTest {
  @Test
  void theCommandTakesItsOptionsAndSettings() throws Exception {
    List<String> arguments = arguments();
    CommandLine command = new CommandLine(new ServeCommand());
    command.parseArgs(arguments.subList(1, arguments.size()).toArray(String[]::new));
    Settings settings = ((SettingsOptions) command.getMixins().get("options")).load();

    assertThat(arguments.get(0)).isEqualTo("serve");
    assertThat(settings.get(ServingSettings.HOST)).isEqualTo("0.0.0.0");
    assertThat(settings.get(ServingSettings.PORT)).isEqualTo(8080);
  }

  private static List<String> arguments() throws IOException {
    String text = Files.readString(Path.of("..", "docker-compose.yml"));
    Map<String, Map<String, Map<String, List<String>>>> root =
        new Yaml(new SafeConstructor(new LoaderOptions())).load(text);
    return root.get("services").get("serve").get("command");
  }
}
