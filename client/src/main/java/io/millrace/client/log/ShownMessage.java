package io.millrace.client.log;

import io.millrace.schemas.text.ShownText;
import org.apache.logging.log4j.core.LogEvent;
import org.apache.logging.log4j.core.config.plugins.Plugin;
import org.apache.logging.log4j.core.pattern.ConverterKeys;
import org.apache.logging.log4j.core.pattern.LogEventPatternConverter;
import org.apache.logging.log4j.core.pattern.PatternConverter;

/** {@code %shown} in a pattern: the event's message on one line, as {@link ShownText} shows it. */
@Plugin(name = "ShownMessage", category = PatternConverter.CATEGORY)
@ConverterKeys("shown")
public final class ShownMessage extends LogEventPatternConverter {
  private static final ShownMessage INSTANCE = new ShownMessage();

  private ShownMessage() {
    super("ShownMessage", "message");
  }

  /** Called by log4j. */
  public static ShownMessage newInstance(String[] options) {
    return INSTANCE;
  }

  @Override
  public void format(LogEvent event, StringBuilder line) {
    line.append(ShownText.of(event.getMessage().getFormattedMessage()));
  }
}
