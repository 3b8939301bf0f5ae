package io.millrace.svft;

import ai.djl.Device;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;

/** What training runs on, as text for a record. */
public final class TrainingEnvironment {
  private TrainingEnvironment() {}

  /** Name and value of everything that a step's bits may depend on besides its input. */
  public static SortedMap<String, String> describe(Device device, int threads) {
    SortedMap<String, String> environment = new TreeMap<>();
    environment.put("device", device.toString());
    environment.put("threads", Integer.toString(threads));
    return environment;
  }

  /** What differs between two environments, one line each. */
  public static List<String> differences(Map<String, String> recorded, Map<String, String> here) {
    SortedSet<String> keys = new TreeSet<>(recorded.keySet());
    keys.addAll(here.keySet());
    List<String> lines = new ArrayList<>();
    for (String key : keys) {
      String there = recorded.getOrDefault(key, "(none)");
      String now = here.getOrDefault(key, "(none)");
      if (!there.equals(now)) {
        lines.add("%s: recorded %s, here %s".formatted(key, there, now));
      }
    }
    return lines;
  }
}
