package io.millrace.pipeline;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.Yaml;
import org.yaml.snakeyaml.constructor.SafeConstructor;

/**
 * Compose files, a later one over those before, as an engine reads them where no variable is set.
 */
public record ComposeFile(
    Map<String, Map<String, Object>> services, Set<String> volumes, Map<String, Object> secrets) {
  private static final Path HOME = Path.of(System.getProperty("millrace.home"));

  /** Lists of these are replaced, all others are added to. */
  private static final Set<String> REPLACED = Set.of("command", "test");

  /**
   * @param names of files in the source tree's root
   */
  public static ComposeFile read(String... names) throws IOException {
    Map<String, Object> all = new LinkedHashMap<>();
    for (String name : names) {
      String text =
          Files.readString(HOME.resolve(name))
              .replaceAll("\\$\\{\\w+:-([^}]*)}", "$1")
              .replace("$$", "$");
      all = merged(all, new Yaml(new SafeConstructor(new LoaderOptions())).load(text));
    }
    return new ComposeFile(
        cast(all.get("services")),
        ComposeFile.<Map<String, Object>>cast(all.get("volumes")).keySet(),
        cast(all.getOrDefault("secrets", Map.of())));
  }

  private static Map<String, Object> merged(Map<String, Object> under, Map<String, Object> over) {
    Map<String, Object> merged = new LinkedHashMap<>(under);
    over.forEach((key, value) -> merged.merge(key, or(value), (a, b) -> merged(key, a, b)));
    return merged;
  }

  /** A volume without options has no value. */
  private static Object or(Object value) {
    return value == null ? Map.of() : value;
  }

  private static Object merged(String key, Object under, Object over) {
    if (under instanceof Map && over instanceof Map) {
      return merged(ComposeFile.<Map<String, Object>>cast(under), cast(over));
    }
    if (under instanceof List && over instanceof List && !REPLACED.contains(key)) {
      List<Object> both = new ArrayList<>(ComposeFile.<List<Object>>cast(under));
      both.addAll(cast(over));
      return both;
    }
    return over;
  }

  @SuppressWarnings("unchecked")
  private static <T> T cast(Object value) {
    return (T) value;
  }

  /** The list under a key of a service; empty where it has none. */
  public <T> List<T> list(String service, String key) {
    return cast(services.get(service).getOrDefault(key, List.of()));
  }

  /** A mapping under a key of a service; empty where it has none. */
  public Map<String, Object> map(String service, String key) {
    return cast(services.get(service).getOrDefault(key, Map.of()));
  }

  /** Its variables. */
  public Map<String, String> environment(String service) {
    Map<String, String> environment = new TreeMap<>();
    map(service, "environment").forEach((name, value) -> environment.put(name, value.toString()));
    return environment;
  }

  /** The command of its health check, as an engine runs it. */
  List<String> healthCheck(String service) {
    List<String> test = cast(map(service, "healthcheck").getOrDefault("test", List.of("NONE")));
    return test.subList(1, test.size());
  }

  /** The services that it names as those to wait for. */
  Set<String> dependencies(String service) {
    Object named = services.get(service).getOrDefault("depends_on", Map.of());
    return named instanceof List<?> list
        ? Set.copyOf(ComposeFile.<List<String>>cast(list))
        : ComposeFile.<Map<String, Object>>cast(named).keySet();
  }

  /** The target of its image in docker/Dockerfile; empty where others have built the image. */
  String target(String service) {
    return String.valueOf(map(service, "build").getOrDefault("target", ""));
  }

  /** How much memory it may take, in MiB. */
  public int memoryLimit(String service) {
    String limit = String.valueOf(services.get(service).get("mem_limit"));
    int number = Integer.parseInt(limit.substring(0, limit.length() - 1));
    return limit.endsWith("g") ? number << 10 : number;
  }

  /** Sources and targets of its mounts; one without a source is a volume without a name. */
  List<String[]> mounts(String service) {
    return this.<Object>list(service, "volumes").stream()
        .map(
            mount ->
                mount instanceof Map<?, ?> bind
                    ? new String[] {(String) bind.get("source"), (String) bind.get("target")}
                    : parts((String) mount))
        .toList();
  }

  private static String[] parts(String mount) {
    String[] parts = mount.split(":");
    return parts.length == 1 ? new String[] {"", parts[0]} : Arrays.copyOf(parts, 2);
  }
}
