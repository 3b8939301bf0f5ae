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
import java.util.Properties;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * What the user set, checked against what is declared; everything else has its default. Immutable,
 * and serializable for its way to a task manager.
 *
 * <p>Keys that begin with {@code kafka.}, {@code schema.registry.} or {@code flink.} need no
 * declaration: they are handed on to those systems.
 */
public final class Settings implements Serializable {
  private static final long serialVersionUID = 1L;
  private static final List<String> HANDED_ON = List.of("kafka.", "schema.registry.", "flink.");

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
    Map<String, Setting<?>> byKey = new TreeMap<>();
    for (Setting<?> setting : known) {
      if (byKey.put(setting.key(), setting) != null) {
        throw new IllegalArgumentException("setting declared twice: " + setting.key());
      }
    }
    TreeMap<String, String> explicit = new TreeMap<>();
    if (configFile != null) {
      explicit.putAll(read(configFile));
      try {
        explicit.forEach((key, value) -> check(byKey, key, value));
      } catch (UsageException e) {
        throw new UsageException("config file " + configFile + ": " + e.getMessage(), e);
      }
    }
    for (String item : sets) {
      int equals = item.indexOf('=');
      if (equals < 1) {
        throw new UsageException(Setting.quoted(item) + " is not a setting: write key=value");
      }
      String key = item.substring(0, equals).strip();
      String value = item.substring(equals + 1);
      check(byKey, key, value);
      explicit.put(key, value);
    }
    return new Settings(explicit, new TreeSet<>(byKey.keySet()));
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
    if (setting != null) {
      setting.parse(value);
      return;
    }
    String nearest =
        known.keySet().stream()
            .min(Comparator.comparingInt(other -> distance(key, other)))
            .orElse("");
    // One letter off a declared key is a typing error, not another system's setting.
    if (HANDED_ON.stream().noneMatch(key::startsWith) || distance(key, nearest) == 1) {
      String hint = nearest.isEmpty() ? "" : "; the nearest is " + nearest;
      throw new UsageException("no setting is called " + Setting.quoted(key) + hint);
    }
  }

  /**
   * Levenshtein distance: the fewest letters to insert, delete or replace to turn one into the
   * other.
   */
  private static int distance(String from, String to) {
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
