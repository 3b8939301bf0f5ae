package io.millrace.client.settings;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.client.process.UsageException;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@Tag("unit")
class SettingTest {
  private static final Setting<Integer> INTEGER = Setting.integer("n", 2, 1, 8, "");
  private static final Setting<Double> DECIMAL = Setting.decimal("x", 0.03, 0, 1, "");
  private static final Setting<Boolean> FLAG = Setting.flag("f", false, "");
  private static final Setting<Duration> DURATION =
      Setting.duration("d", Duration.ofSeconds(5), Duration.ZERO, Duration.ofHours(48), "");
  private static final Setting<Duration> INTERVAL =
      Setting.duration(
          "i", Duration.ofSeconds(1), Duration.ofMillis(10), Duration.ofMinutes(4), "");
  private static final Setting<Long> BYTES = Setting.bytes("b", 65536, 0, 4L << 30, "");
  private static final Setting<String> CHOICE =
      Setting.choice("c", "cpu", List.of("auto", "cpu", "gpu"), "");

  @ParameterizedTest
  @CsvSource({
    "5s, 5000, 5s",
    "200ms, 200, 200ms",
    "2m, 120000, 2m",
    "1h, 3600000, 1h",
    "90 s, 90000, 90s",
    "PT1.5S, 1500, 1500ms",
    "none, 0, none",
    "0s, 0, none"
  })
  void durationsAreReadAndWritten(String text, long millis, String written) {
    Duration duration = DURATION.parse(text);
    assertThat(duration.toMillis()).isEqualTo(millis);
    assertThat(DURATION.format(duration)).isEqualTo(written);
    assertThat(DURATION.parse(DURATION.format(duration))).isEqualTo(duration);
  }

  @ParameterizedTest
  @ValueSource(strings = {"5", "-5s", "5 days", "PT-1S", "999999999999h", "PT9999999999999H", ""})
  void whatIsNoDurationIsRefused(String text) {
    refused(DURATION, text, "a duration such as 200ms, 5s, 2m, 1h or PT1.5S, up to 48h, or none");
  }

  /** An empty default says that nothing is a choice, too. */
  @Test
  void aNameIsNotBlank() {
    Setting<String> name = Setting.text("job.name", "millrace", "");
    refused(name, " ", "a text of 1 to 8192 characters");
    assertThatThrownBy(() -> name.parse("x".repeat(8193)))
        .hasMessageEndingWith(" is not a text of 1 to 8192 characters");
    assertThat(name.parse(" reviews ")).isEqualTo("reviews");

    Setting<String> key = Setting.text("publish.signingKey", "", "");
    assertThat(key.parse(" ")).isEmpty();
    assertThatThrownBy(() -> key.parse("x".repeat(8193)))
        .hasMessageEndingWith(" is not a text of at most 8192 characters");
  }

  @ParameterizedTest
  @ValueSource(strings = {"none", "0s", "9ms", "PT0S", "241s", "1h"})
  void aDurationOutOfItsBoundsIsRefused(String text) {
    refused(INTERVAL, text, "a duration such as 200ms, 5s, 2m, 1h or PT1.5S, from 10ms to 4m");
  }

  @ParameterizedTest
  @CsvSource({
    "65536, 65536, 64KiB",
    "64KiB, 65536, 64KiB",
    "1MiB, 1048576, 1MiB",
    "2GiB, 2147483648, 2GiB",
    "1000, 1000, 1000",
    "0, 0, 0"
  })
  void numbersOfBytesAreReadAndWritten(String text, long bytes, String written) {
    assertThat(BYTES.parse(text)).isEqualTo(bytes);
    assertThat(BYTES.format(bytes)).isEqualTo(written);
  }

  @ParameterizedTest
  @ValueSource(strings = {"64KB", "-1", "1.5MiB", "999999999999GiB", "5GiB", "lots"})
  void whatIsNoNumberOfBytesIsRefused(String text) {
    refused(BYTES, text, "a number of bytes such as 65536, 64KiB, 1MiB or 2GiB, from 0 to 4GiB");
  }

  @ParameterizedTest
  @ValueSource(strings = {"0", "9", "1.0", "", "one", "99999999999"})
  void whatIsNotAmongTheIntegersIsRefused(String text) {
    refused(INTEGER, text, "a whole number from 1 to 8");
  }

  @ParameterizedTest
  @ValueSource(strings = {"NaN", "Infinity", "1.01", "-1e-9", "0x1p-3", "0.5f", "1e999999999"})
  void whatIsNotAmongTheDecimalsIsRefused(String text) {
    refused(DECIMAL, text, "a number from 0.0 to 1.0");
  }

  @Test
  void whatIsAllowedIsRead() {
    assertThat(INTEGER.parse(" 8 ")).isEqualTo(8);
    assertThat(DECIMAL.parse("3e-2")).isEqualTo(0.03);
    assertThat(FLAG.parse("TRUE")).isTrue();
    assertThat(CHOICE.parse("gpu")).isEqualTo("gpu");
  }

  @Test
  void wordsThatAreNotAmongTheChoicesAreRefused() {
    refused(FLAG, "yes", "true or false");
    refused(CHOICE, "tpu", "one of auto, cpu, gpu");
  }

  @Test
  void aLongOrBrokenValueIsShownOnOneShortLine() {
    assertThatThrownBy(() -> INTEGER.parse("a\nb\u0000" + "c".repeat(10_000)))
        .message()
        .startsWith("n: 'a b c")
        .hasSizeLessThan(150)
        .doesNotContain("\n");
  }

  private static void refused(Setting<?> setting, String text, String allowed) {
    assertThatThrownBy(() -> setting.parse(text))
        .isInstanceOf(UsageException.class)
        .hasMessage(setting.key() + ": '" + text + "' is not " + allowed);
  }
}
