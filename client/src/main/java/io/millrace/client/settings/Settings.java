package io.millrace.client.settings;

import io.millrace.client.process.UsageException;
import java.io.IOException;
import java.io.Reader;
import java.io.Serializable;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * What the user set, checked against what is declared; everything else has its default. Immutable,
 * and serializable for its way to a task manager.
 *
 * <p>Settings of other systems, such as {@code kafka.linger.ms}, are declared by their prefix; the
 * system tells which names it knows.
 */
public final class Settings implements Serializable {
  private static final long serialVersionUID = 1L;

  private final TreeMap<String, String> explicit;
  private final TreeSet<String> declared;

  private Settings(TreeMap<String, String> explicit, TreeSet<String> declared) {
    this.explicit = explicit;
    this.declared = declared;
  }

  /**
   * The settings of a process.
   *
   * @param known every setting it declares
   * @param configFile a Java properties file in UTF-8, or null
   * @param sets {@code key=value} items; they win over the file, and a later one over an earlier
   *     one
   * @throws UsageException where a key is not known, a value not allowed, an item malformed or the
   *     file unreadable
   */
  public static Settings of(List<Setting<?>> known, Path configFile, List<String> sets) {
    return of(known, configFile == null ? List.of() : List.of(configFile), Map.of(), sets);
  }

  /**
   * As the other {@code of}, with any number of files, and the settings that environment variables
   * hold.
   *
   * @param configFiles a later one wins over an earlier one
   * @param environment by name; they win over the files, and the items win over them. See {@link
   *     EnvironmentVariables}
   */
  public static Settings of(
      List<Setting<?>> known,
      List<Path> configFiles,
      Map<String, String> environment,
      List<String> sets) {
    Map<String, Setting<?>> byKey = new TreeMap<>();
    for (Setting<?> setting : known) {
      if (byKey.put(setting.key(), setting) != null) {
        throw new IllegalArgumentException("setting declared twice: " + setting.key());
      }
    }
    TreeMap<String, String> explicit = new TreeMap<>();
    for (Path configFile : configFiles) {
      Map<String, String> read = read(configFile);
      explicit.putAll(read);
      try {
        read.forEach((key, value) -> check(byKey, key, value));
        requireKnownElsewhere(byKey, explicit);
      } catch (UsageException e) {
        throw new UsageException("config file " + configFile + ": " + e.getMessage(), e);
      }
    }
    TreeMap<String, String> items = items(byKey, sets);
    // Which names another system knows may depend on a plug-in that an item names.
    TreeMap<String, String> plugins = new TreeMap<>(explicit);
    plugins.putAll(items);
    explicit.putAll(new EnvironmentVariables(byKey, environment).settings(plugins));
    explicit.putAll(items);
    requireKnownElsewhere(byKey, explicit);
    return new Settings(explicit, new TreeSet<>(byKey.keySet()));
  }

  private static TreeMap<String, String> items(Map<String, Setting<?>> byKey, List<String> sets) {
    TreeMap<String, String> items = new TreeMap<>();
    for (String item : sets) {
      int equals = item.indexOf('=');
      if (equals < 1) {
        String shown = Secrets.isSecret(item) ? "an item of --set" : Setting.quoted(item);
        throw new UsageException(shown + " is not a setting: write key=value");
      }
      String key = item.substring(0, equals).strip();
      String value = item.substring(equals + 1);
      check(byKey, key, value);
      items.put(key, value);
    }
    return items;
  }

  /** The value of {@code setting}: what was set, or its default. */
  public <T> T get(Setting<T> setting) {
    requireDeclared(setting);
    String text = explicit.get(setting.key());
    return text == null ? setting.defaultValue() : setting.parse(text);
  }

  /** The value of {@code setting} in the form in which it can be set. */
  public <T> String text(Setting<T> setting) {
    return setting.format(get(setting));
  }

  /**
   * These settings with {@code setting} set to {@code value}.
   *
   * @throws UsageException where {@code value} is not allowed
   */
  public <T> Settings with(Setting<T> setting, T value) {
    requireDeclared(setting);
    String text = setting.format(value);
    setting.parse(text);
    TreeMap<String, String> changed = new TreeMap<>(explicit);
    changed.put(setting.key(), text);
    return new Settings(changed, declared);
  }

  /** These settings as if {@code setting} were not set. */
  <T> Settings without(Setting<T> setting) {
    TreeMap<String, String> changed = new TreeMap<>(explicit);
    changed.remove(setting.key());
    return new Settings(changed, declared);
  }

  /** These settings as if nothing were set under {@code prefix}. */
  public Settings withoutUnder(String prefix) {
    TreeMap<String, String> changed = new TreeMap<>(explicit);
    changed.keySet().removeIf(key -> key.startsWith(prefix) && !declared.contains(key));
    return new Settings(changed, declared);
  }

  /** What was set under {@code prefix} without being declared, by its key after the prefix. */
  public Map<String, String> under(String prefix) {
    Map<String, String> found = new TreeMap<>();
    explicit.forEach(
        (key, text) -> {
          if (key.startsWith(prefix) && !declared.contains(key)) {
            found.put(key.substring(prefix.length()), text);
          }
        });
    return found;
  }

  /**
   * What was set, by key, as text. It may hold secrets, such as Kafka's {@code sasl.jaas.config}.
   */
  public Map<String, String> explicit() {
    return Collections.unmodifiableMap(explicit);
  }

  private void requireDeclared(Setting<?> setting) {
    if (!declared.contains(setting.key())) {
      throw new IllegalArgumentException("not declared in this process: " + setting.key());
    }
  }

  private static Map<String, String> read(Path file) {
    Properties properties = new Properties();
    try (Reader reader = Files.newBufferedReader(file)) {
      properties.load(reader);
    } catch (NoSuchFileException e) {
      throw new UsageException("config file " + file + " does not exist", e);
    } catch (CharacterCodingException e) {
      throw new UsageException("config file " + file + " is not UTF-8", e);
    } catch (IOException | IllegalArgumentException e) {
      throw new UsageException("config file " + file + " cannot be read: " + e.getMessage(), e);
    }
    Map<String, String> texts = new TreeMap<>();
    properties.stringPropertyNames().forEach(key -> texts.put(key, properties.getProperty(key)));
    return texts;
  }

  private static void check(Map<String, Setting<?>> known, String key, String value) {
    Setting<?> setting = known.get(key);
    Optional<Setting.Family> family = family(known, key);
    if (family.isPresent()) {
      family.get().check(key, value);
      return;
    }
    if (setting == null || setting.isPrefix()) {
      setting = otherSystem(known, key).orElseThrow(() -> unknown(key, names(known)));
    }
    setting.parse(value);
  }

  /** The family that {@code key} belongs to, unless it is declared by itself. */
  private static Optional<Setting.Family> family(Map<String, Setting<?>> known, String key) {
    return known.values().stream()
        .filter(setting -> setting.family().isPresent() && key.startsWith(setting.key()))
        .findFirst()
        .flatMap(Setting::family);
  }

  /** The setting that stands for all that have the prefix of {@code key}. */
  static Optional<Setting<?>> otherSystem(Map<String, Setting<?>> known, String key) {
    return known.values().stream()
        .filter(setting -> setting.otherSystem().isPresent())
        .filter(setting -> key.startsWith(setting.key()) && key.length() > setting.key().length())
        .max(Comparator.comparingInt(setting -> setting.key().length()))
        .map(setting -> setting);
  }

  /** What a system does not know would have no effect, and the user would not notice. */
  private static void requireKnownElsewhere(
      Map<String, Setting<?>> known, Map<String, String> explicit) {
    for (String key : explicit.keySet()) {
      if (known.containsKey(key) || family(known, key).isPresent()) {
        continue;
      }
      Setting<?> prefix = otherSystem(known, key).orElseThrow();
      Optional<Set<String>> names = prefix.otherSystem().orElseThrow().names(explicit);
      Set<String> all = names(known);
      names.ifPresent(some -> some.forEach(name -> all.add(prefix.key() + name)));
      boolean misspelt =
          names.isEmpty() && names(known).stream().anyMatch(other -> distance(key, other) == 1);
      if (misspelt || names.isPresent() && !all.contains(key)) {
        throw unknown(key, all);
      }
    }
  }

  private static Set<String> names(Map<String, Setting<?>> known) {
    Set<String> names = new TreeSet<>(known.keySet());
    known.values().stream()
        .filter(Setting::isPrefix)
        .forEach(setting -> names.remove(setting.key()));
    return names;
  }

  /** The refusal of a name that is not among {@code names}. */
  static UsageException unknown(String name, Set<String> names) {
    String hint =
        names.stream()
            .min(Comparator.comparingInt(other -> distance(name, other)))
            .map(nearest -> "; the nearest is " + nearest)
            .orElse("");
    return new UsageException("no setting is called " + Setting.quoted(name) + hint);
  }

  /**
   * Levenshtein distance: the fewest letters to insert, delete or replace to turn one into the
   * other.
   */
  public static int distance(String from, String to) {
    int[] row = new int[to.length() + 1];
    for (int j = 0; j < row.length; j++) {
      row[j] = j;
    }
    for (int i = 1; i <= from.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j < row.length; j++) {
        int replaced = diagonal + (from.charAt(i - 1) == to.charAt(j - 1) ? 0 : 1);
        diagonal = row[j];
        row[j] = Math.min(replaced, 1 + Math.min(row[j], row[j - 1]));
      }
    }
    return row[to.length()];
  }
}
