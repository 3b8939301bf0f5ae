package io.millrace.client.log;

import static org.assertj.core.api.Assertions.assertThat;

import org.apache.logging.log4j.core.LogEvent;
import org.apache.logging.log4j.core.config.DefaultConfiguration;
import org.apache.logging.log4j.core.impl.Log4jLogEvent;
import org.apache.logging.log4j.core.layout.PatternLayout;
import org.apache.logging.log4j.message.ParameterizedMessage;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The pattern of the products' configurations. */
@Tag("unit")
class ShownLogTest {
  private static final String HOSTILE = "a\u001b[31mRED\rsum\n2026-01-01 INFO forged\u202e";
  private static final String SHOWN = "a\\u001b[31mRED\\rsum\\n2026-01-01 INFO forged\\u202e";

  private final PatternLayout layout =
      PatternLayout.newBuilder()
          .withConfiguration(new DefaultConfiguration())
          .withPattern("%shown%n%shownEx")
          .build();

  @Test
  void aMessageIsOneLine() {
    assertThat(layout.toSerializable(event(null))).isEqualTo("domain " + SHOWN + " is new\n");
  }

  @Test
  void everyMessageOfAStackTraceIsOneLine() {
    Throwable cause = new IllegalArgumentException(HOSTILE);
    Throwable failure = new IllegalStateException("x\n\tat y", cause);
    failure.addSuppressed(new java.io.IOException(HOSTILE));
    cause.initCause(failure);

    String text = layout.toSerializable(event(failure));

    assertThat(text.replace("\n", "").replace("\t", "")).doesNotContainPattern("\\p{Cntrl}");
    assertThat(text.lines())
        .allMatch(
            line ->
                line.startsWith("domain " + SHOWN)
                    || line.matches("(\\t)*(at |\\.\\.\\. ).*")
                    || line.equals("java.lang.IllegalStateException: x\\n\\tat y")
                    || line.equals("\tSuppressed: java.io.IOException: " + SHOWN)
                    || line.equals("Caused by: java.lang.IllegalArgumentException: " + SHOWN)
                    || line.equals(
                        "Caused by: java.lang.IllegalStateException: x\\n\\tat y (shown above)"));
    assertThat(text).contains("\tat " + getClass().getName()).contains(" more\n");
  }

  private static LogEvent event(Throwable failure) {
    return Log4jLogEvent.newBuilder()
        .setMessage(new ParameterizedMessage("domain {} is new", HOSTILE))
        .setThrown(failure)
        .build();
  }
}
