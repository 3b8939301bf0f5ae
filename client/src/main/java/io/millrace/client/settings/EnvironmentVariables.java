package io.millrace.client.settings;

import io.millrace.client.process.UsageException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Settings in environment variables. The variable of a key begins with {@code MILLRACE_}; its words
 * are in capitals, with {@code _} for dots, hyphens and before the capitals of the key: {@code
 * serving.maxBatch} is {@code MILLRACE_SERVING_MAX_BATCH}. With {@code _FILE} after it, it names a
 * file that holds the value.
 *
 * <p>The processes of an installation may share an environment, so variables of settings that this
 * process does not have are left alone; but not what is nearly the name of one that it has.
 */
final class EnvironmentVariables {
  private static final String PREFIX = "MILLRACE_";
  private static final String FILE = "_FILE";

  /** Read by the launcher, the processes it starts and docker-compose.yml. */
  private static final Set<String> NO_SETTINGS =
      Set.of(
          "MILLRACE_HOME",
          "MILLRACE_JAVA_OPTS",
          "MILLRACE_LOGS",
          "MILLRACE_END_WITH_PARENT",
          "MILLRACE_BENCHMARK",
          "MILLRACE_GPU",
          "MILLRACE_LIBTORCH",
          "MILLRACE_SECRETS");

  private final Map<String, Setting<?>> known;
  private final Map<String, String> environment;

  /**
   * @param known what the process declares, by key
   */
  EnvironmentVariables(Map<String, Setting<?>> known, Map<String, String> environment) {
    this.known = known;
    this.environment = environment;
  }

  /** The variable that holds a setting. */
  static String variable(String key) {
    return PREFIX
        + key.replaceAll("([a-z0-9])([A-Z])", "$1_$2")
            .replaceAll("[.-]", "_")
            .toUpperCase(Locale.ROOT);
  }

  /**
   * The settings in the environment, by key.
   *
   * @param set what is set elsewhere
   * @throws UsageException where a variable is nearly one of a setting, or its value is not allowed
   */
  Map<String, String> settings(Map<String, String> set) {
    Map<String, String> found = new TreeMap<>();
    Map<String, String> all = new TreeMap<>(set);
    Set<String> others = new TreeSet<>();
    Map<String, String> keys = new TreeMap<>();
    known.forEach(
        (key, setting) -> {
          if (!setting.isPrefix()) {
            keys.put(variable(key), key);
          }
        });
    for (String name : new TreeSet<>(environment.keySet())) {
      if (name.startsWith(PREFIX) && !NO_SETTINGS.contains(name) && !take(name, keys, found)) {
        others.add(name);
      }
    }
    all.putAll(found);
    for (String name : others) {
      requireNoFamily(name);
      Map<String, String> there = new TreeMap<>(keys);
      Optional<Setting<?>> system = system(name);
      system.ifPresent(prefix -> there.putAll(keys(prefix, name, all)));
      if (take(name, there, found)) {
        continue;
      }
      boolean misspelt =
          system.isPresent()
              || keys.keySet().stream().anyMatch(other -> Settings.distance(name, other) <= 2);
      if (misspelt) {
        throw Settings.unknown(name, there.keySet());
      }
    }
    return found;
  }

  /** Its keys hold names, and a variable's name could be that of many. */
  private void requireNoFamily(String name) {
    for (Setting<?> setting : known.values()) {
      if (setting.family().isPresent() && name.startsWith(variable(setting.key()))) {
        throw new UsageException(
            "%s: no variable can say which name is meant: set %s* in the file of --config, or with --set"
                .formatted(name, setting.key()));
      }
    }
  }

  /** The keys of another system, by their variables. */
  private static Map<String, String> keys(
      Setting<?> system, String variable, Map<String, String> set) {
    // A name that the system does not list: most consist of words and dots.
    String prefix = system.key();
    String rest = variable.substring(variable(prefix).length());
    if (rest.endsWith(FILE)) {
      rest = rest.substring(0, rest.length() - FILE.length());
    }
    String guess = rest.toLowerCase(Locale.ROOT).replace('_', '.');
    Map<String, String> withGuess = new TreeMap<>(set);
    withGuess.put(prefix + guess, "");
    Map<String, String> keys = new TreeMap<>();
    Optional<Set<String>> names = system.otherSystem().orElseThrow().names(withGuess);
    names.orElse(Set.of(guess)).forEach(name -> keys.put(variable(prefix + name), prefix + name));
    return keys;
  }

  private boolean take(String name, Map<String, String> keys, Map<String, String> found) {
    String key = keys.get(name);
    if (key != null) {
      found.put(key, checked(name, key, environment.get(name)));
      return true;
    }
    String ofFile = name.endsWith(FILE) ? name.substring(0, name.length() - FILE.length()) : "";
    key = keys.get(ofFile);
    if (key == null) {
      return false;
    }
    if (environment.containsKey(ofFile)) {
      throw new UsageException(ofFile + " and " + name + " are both set; choose one");
    }
    found.put(key, checked(name, key, read(name, environment.get(name))));
    return true;
  }

  private Optional<Setting<?>> system(String name) {
    return known.values().stream()
        .filter(setting -> setting.otherSystem().isPresent())
        .filter(setting -> name.startsWith(variable(setting.key())))
        .findFirst()
        .map(setting -> setting);
  }

  private String checked(String name, String key, String value) {
    try {
      Setting<?> setting = known.get(key);
      (setting == null ? Settings.otherSystem(known, key).orElseThrow() : setting).parse(value);
      return value;
    } catch (UsageException e) {
      throw new UsageException("environment variable " + name + ": " + e.getMessage(), e);
    }
  }

  private static String read(String name, String file) {
    try {
      return Files.readString(Path.of(file)).strip();
    } catch (NoSuchFileException e) {
      throw new UsageException(name + ": there is no file " + Setting.quoted(file), e);
    } catch (IOException | InvalidPathException e) {
      throw new UsageException(name + ": " + Setting.quoted(file) + " cannot be read: " + e, e);
    }
  }
}
