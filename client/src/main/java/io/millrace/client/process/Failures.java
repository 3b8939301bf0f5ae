package io.millrace.client.process;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Describes a failure in one line from its chain of exceptions, for users who do not read stack
 * traces.
 */
public final class Failures {
  private Failures() {}

  /** {@code failure} and its causes, outermost first. */
  public static List<Throwable> chain(Throwable failure) {
    List<Throwable> chain = new ArrayList<>();
    for (Throwable t = failure; t != null && !chain.contains(t); t = t.getCause()) {
      chain.add(t);
    }
    return chain;
  }

  /**
   * What was tried and why it failed: the outermost message and that of the root cause, if they
   * differ.
   */
  public static String describe(Throwable failure) {
    List<Throwable> chain = chain(failure);
    Throwable root = chain.get(chain.size() - 1);
    String why = words(root);
    for (Throwable outer : chain) {
      if (saysWhat(outer)) {
        String what = outer.getMessage();
        return what.contains(why) ? what : what + ": " + why;
      }
    }
    return hasMessage(root) ? why : "unexpected failure: " + why;
  }

  /**
   * The exception's message; with its name in words where the message alone says little, as a bare
   * path does.
   */
  private static String words(Throwable t) {
    String name =
        t.getClass()
            .getSimpleName()
            .replaceAll("(Exception|Error)$", "")
            .replaceAll("(?<=[a-z])(?=[A-Z])", " ")
            .toLowerCase(Locale.ROOT);
    if (!hasMessage(t)) {
      return name;
    }
    return t.getMessage().strip().contains(" ") ? t.getMessage() : name + ": " + t.getMessage();
  }

  private static boolean saysWhat(Throwable t) {
    boolean repeatsCause = t.getCause() != null && t.getCause().toString().equals(t.getMessage());
    return hasMessage(t) && t.getMessage().strip().contains(" ") && !repeatsCause;
  }

  private static boolean hasMessage(Throwable t) {
    return t.getMessage() != null && !t.getMessage().isBlank();
  }
}
