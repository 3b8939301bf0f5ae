package io.millrace.operators.gate;

import java.text.Normalizer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * Labels that differ by case, white space or Unicode form only, such as {@code pos} and {@code Pos
 * }. They are labels of their own, each with a row in the head, and rarely meant so: users are
 * told.
 */
public final class SimilarLabels {
  private SimilarLabels() {}

  /** The groups of two or more labels, in the order of their first ones. */
  public static List<List<String>> among(List<String> labels) {
    Map<String, List<String>> groups = new LinkedHashMap<>();
    labels.forEach(
        label -> groups.computeIfAbsent(folded(label), key -> new ArrayList<>()).add(label));
    return groups.values().stream().filter(group -> group.size() > 1).toList();
  }

  /** One sentence about a group. */
  public static String say(String domain, List<String> group) {
    return "domain %s: %s are %d labels, which differ by case or white space only"
        .formatted(
            domain,
            group.stream().map(label -> '"' + label + '"').collect(Collectors.joining(" and ")),
            group.size());
  }

  private static String folded(String label) {
    String text = Normalizer.normalize(label, Normalizer.Form.NFKC);
    // Upper case first: both forms of a lower-case letter, as of sigma, have one.
    return text.toUpperCase(Locale.ROOT)
        .toLowerCase(Locale.ROOT)
        .replaceAll("[\\s\\p{Z}\\p{Cf}]+", " ")
        .strip();
  }
}
