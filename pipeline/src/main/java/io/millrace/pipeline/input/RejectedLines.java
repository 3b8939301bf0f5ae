package io.millrace.pipeline.input;

import java.util.Comparator;
import java.util.List;
import java.util.Map;

/** Says why lines of a file are no examples. */
public final class RejectedLines {
  private static final String NEEDED = "a line needs domain, text and label";
  private static final String OBJECT = "a line is one JSON object";

  /** What to do where most lines have an error of a class. */
  private static final Map<String, String> ADVICE =
      Map.of(
          "NotAString",
          "domain, text and label are strings; input.labels=scalars takes whole numbers, true and"
              + " false as labels",
          "InvalidUtf8",
          "lines are in UTF-8",
          "BrokenJson",
          OBJECT,
          "NotAnObject",
          OBJECT,
          "MissingDomain",
          NEEDED,
          "MissingText",
          NEEDED,
          "MissingLabel",
          NEEDED);

  private RejectedLines() {}

  /** Classes of errors with their counts, the most frequent first: {@code 8 NotAString}. */
  public static String counts(Map<String, Long> byClass) {
    return String.join(
        ", ", sorted(byClass).stream().map(each -> each.getValue() + " " + each.getKey()).toList());
  }

  /**
   * Says that a file has no example at all.
   *
   * @param name of the file
   * @param byClass its lines that are not blank, by what is wrong with them
   */
  public static String nothingIn(String name, Map<String, Long> byClass) {
    String nothing = "file " + name + " holds no example that can be trained on: ";
    if (byClass.isEmpty()) {
      return nothing + "it holds no lines";
    }
    String advice = ADVICE.get(sorted(byClass).get(0).getKey());
    return nothing + counts(byClass) + (advice == null ? "" : " (" + advice + ")");
  }

  private static List<Map.Entry<String, Long>> sorted(Map<String, Long> byClass) {
    return byClass.entrySet().stream()
        .sorted(
            Map.Entry.<String, Long>comparingByValue(Comparator.reverseOrder())
                .thenComparing(Map.Entry.comparingByKey()))
        .toList();
  }
}
