package io.millrace.pipeline;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.Yaml;
import org.yaml.snakeyaml.constructor.SafeConstructor;

/** A compose file as an engine reads it where no variable is set. */
public record ComposeFile(Map<String, Map<String, Object>> services) {

  public static ComposeFile read(Path file) throws IOException {
    String text = Files.readString(file).replaceAll("\\$\\{\\w+:-([^}]*)}", "$1");
    Map<String, Map<String, Map<String, Object>>> root =
        new Yaml(new SafeConstructor(new LoaderOptions())).load(text);
    return new ComposeFile(root.get("services"));
  }

  /** The list under a key of a service; empty where it has none. */
  @SuppressWarnings("unchecked")
  public List<String> list(String service, String key) {
    return (List<String>) services.get(service).getOrDefault(key, List.of());
  }

  @SuppressWarnings("unchecked")
  Map<String, String> environment(String service) {
    return (Map<String, String>) services.get(service).getOrDefault("environment", Map.of());
  }
}
