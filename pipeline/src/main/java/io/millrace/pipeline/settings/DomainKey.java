package io.millrace.pipeline.settings;

import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.operators.adapt.DomainPattern;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * The key of a setting that some domains have for themselves: {@code domains.<pattern>.<setting>},
 * such as {@code domains.acme/*.batch.size}. Names of domains may hold dots; the setting is the
 * longest known one that ends the key.
 *
 * @param pattern whose setting it is
 * @param setting under its own key
 */
record DomainKey(DomainPattern pattern, Setting<?> setting) {
  static final String PREFIX = "domains.";

  /**
   * @throws UsageException where it is no such key
   */
  static DomainKey of(String key) {
    String rest = key.substring(PREFIX.length());
    Setting<?> setting =
        JobSettings.ALL.stream()
            .filter(each -> !each.key().endsWith(".") && endsWith(rest, each.key()))
            .max(Comparator.comparingInt(each -> each.key().length()))
            .orElseThrow(() -> unknown(key));
    if (!JobSettings.OF_A_DOMAIN.contains(setting)) {
      throw new UsageException(
          "%s: %s is a setting of the whole job; a domain can have its own %s"
              .formatted(
                  key,
                  setting.key(),
                  JobSettings.OF_A_DOMAIN.stream()
                      .map(Setting::key)
                      .collect(Collectors.joining(", "))));
    }
    if (rest.length() == setting.key().length()) {
      throw new UsageException(
          "%s names no domain: write %sNAME.%s".formatted(key, PREFIX, setting.key()));
    }
    String pattern = rest.substring(0, rest.length() - setting.key().length() - 1);
    try {
      return new DomainKey(new DomainPattern(pattern), setting);
    } catch (IllegalArgumentException e) {
      throw new UsageException(key + ": " + e.getMessage(), e);
    }
  }

  private static boolean endsWith(String rest, String key) {
    return rest.equals(key) || rest.endsWith("." + key);
  }

  /** The nearest key is one whose last parts are nearest to a setting's. */
  private static UsageException unknown(String key) {
    String nearest = "";
    int distance = Integer.MAX_VALUE;
    for (Setting<?> each : JobSettings.OF_A_DOMAIN) {
      Optional<String> ending = lastParts(key, parts(each.key()));
      if (ending.isPresent()) {
        int here = Settings.distance(ending.get(), each.key());
        if (here < distance) {
          distance = here;
          nearest = key.substring(0, key.length() - ending.get().length()) + each.key();
        }
      }
    }
    return new UsageException(
        "no setting is called "
            + Setting.quoted(key)
            + (nearest.isEmpty()
                ? ": write " + PREFIX + "NAME.SETTING"
                : "; the nearest is " + nearest));
  }

  private static int parts(String key) {
    return key.split("\\.", -1).length;
  }

  /** The last parts of a key; empty where nothing is left for a domain before them. */
  private static Optional<String> lastParts(String key, int count) {
    int from = key.length();
    for (int i = 0; i < count; i++) {
      from = key.lastIndexOf('.', from - 1);
      if (from < PREFIX.length()) {
        return Optional.empty();
      }
    }
    return Optional.of(key.substring(from + 1));
  }

  /**
   * @throws UsageException where the key is none, or the value not allowed
   */
  static void check(String key, String value) {
    of(key).setting().named(key).parse(value);
  }

  /**
   * The settings of each pattern that is named, complete: what no rule for its domains sets is as
   * in the job's general settings.
   *
   * @return in the order of patterns, the most general first
   */
  static Map<DomainPattern, Settings> rules(Settings settings) {
    Map<DomainPattern, Map<Setting<?>, String>> set = new TreeMap<>();
    settings
        .under(PREFIX)
        .forEach(
            (rest, value) -> {
              DomainKey key = of(PREFIX + rest);
              set.computeIfAbsent(key.pattern(), unused -> new TreeMap<>(byKey()))
                  .put(key.setting(), value);
            });
    Settings general = settings.withoutUnder(PREFIX);
    // One for a single domain covers no other; there may be many of them.
    List<DomainPattern> wide =
        new ArrayList<>(set.keySet().stream().filter(each -> !each.isForOne()).toList());
    Map<DomainPattern, Settings> rules = new TreeMap<>();
    for (DomainPattern pattern : set.keySet()) {
      Settings complete = general;
      for (DomainPattern other : wide) {
        if (!other.equals(pattern) && other.covers(pattern)) {
          complete = with(complete, set.get(other));
        }
      }
      rules.put(pattern, with(complete, set.get(pattern)));
    }
    return rules;
  }

  private static Comparator<Setting<?>> byKey() {
    return Comparator.comparing(Setting::key);
  }

  private static Settings with(Settings settings, Map<Setting<?>, String> texts) {
    Settings changed = settings;
    for (Map.Entry<Setting<?>, String> each : texts.entrySet()) {
      changed = with(changed, each.getKey(), each.getValue());
    }
    return changed;
  }

  private static <T> Settings with(Settings settings, Setting<T> setting, String text) {
    return settings.with(setting, setting.parse(text));
  }
}
