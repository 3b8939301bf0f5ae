package io.millrace.client.log;

import io.millrace.schemas.text.ShownText;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.Set;
import org.apache.logging.log4j.core.LogEvent;
import org.apache.logging.log4j.core.config.plugins.Plugin;
import org.apache.logging.log4j.core.pattern.ConverterKeys;
import org.apache.logging.log4j.core.pattern.LogEventPatternConverter;
import org.apache.logging.log4j.core.pattern.PatternConverter;

/**
 * {@code %shownEx} in a pattern: the event's stack trace, as Java prints it, but each exception's
 * message is on one line, as {@link ShownText} shows it. So no message can look like an event.
 */
@Plugin(name = "ShownThrowable", category = PatternConverter.CATEGORY)
@ConverterKeys("shownEx")
public final class ShownThrowable extends LogEventPatternConverter {
  private static final ShownThrowable INSTANCE = new ShownThrowable();

  private ShownThrowable() {
    super("ShownThrowable", "throwable");
  }

  /** Called by log4j. */
  public static ShownThrowable newInstance(String[] options) {
    return INSTANCE;
  }

  /** Keeps log4j from adding the stack trace in its own way. */
  @Override
  public boolean handlesThrowable() {
    return true;
  }

  @Override
  public void format(LogEvent event, StringBuilder text) {
    if (event.getThrown() != null) {
      Set<Throwable> printed = Collections.newSetFromMap(new IdentityHashMap<>());
      append(event.getThrown(), "", "", new StackTraceElement[0], printed, text);
    }
  }

  private static void append(
      Throwable thrown,
      String indent,
      String caption,
      StackTraceElement[] around,
      Set<Throwable> printed,
      StringBuilder text) {
    text.append(indent).append(caption).append(ShownText.of(String.valueOf(thrown)));
    if (!printed.add(thrown)) {
      text.append(" (shown above)\n");
      return;
    }
    text.append('\n');
    StackTraceElement[] trace = thrown.getStackTrace();
    int common = common(trace, around);
    for (int i = 0; i < trace.length - common; i++) {
      text.append(indent).append("\tat ").append(trace[i]).append('\n');
    }
    if (common > 0) {
      text.append(indent).append("\t... ").append(common).append(" more\n");
    }
    for (Throwable suppressed : thrown.getSuppressed()) {
      append(suppressed, indent + "\t", "Suppressed: ", trace, printed, text);
    }
    if (thrown.getCause() != null) {
      append(thrown.getCause(), indent, "Caused by: ", trace, printed, text);
    }
  }

  /** How many frames at the end both have. */
  private static int common(StackTraceElement[] trace, StackTraceElement[] around) {
    int common = 0;
    while (common < Math.min(trace.length, around.length)
        && trace[trace.length - 1 - common].equals(around[around.length - 1 - common])) {
      common++;
    }
    return common;
  }
}
