package io.millrace.pipeline.settings;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.client.kafka.Connection;
import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.operators.adapt.InitFrom;
import io.millrace.pipeline.embedded.EmbeddedStack;
import io.millrace.pipeline.input.ExampleLimits;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every setting of the job and the embedded stack says what it allows, and holds to it. */
@Tag("unit")
class SettingBoundsTest {
  private static final List<String> NEVER =
      List.of(
          "-1",
          "-0.5",
          "-5s",
          "PT-1S",
          "-1KiB",
          "NaN",
          "Infinity",
          "-Infinity",
          "1e300",
          "99999999999999999999",
          "999999999999GiB",
          "999999999999h");

  static List<Setting<?>> all() {
    return Stream.of(
            JobSettings.ALL, ExampleLimits.SETTINGS, EmbeddedStack.SETTINGS, Connection.SETTINGS)
        .<Setting<?>>flatMap(List::stream)
        .toList();
  }

  static Stream<Setting<?>> quantities() {
    return all().stream()
        .filter(setting -> !(setting.defaultValue() instanceof String))
        .filter(setting -> !(setting.defaultValue() instanceof Boolean))
        .filter(setting -> !(setting.defaultValue() instanceof InitFrom));
  }

  /** Settings that are handed on are listed by their prefix, and stand for many. */
  static Stream<Setting<?>> words() {
    return all().stream()
        .filter(setting -> setting.defaultValue() instanceof String)
        .filter(setting -> !setting.key().endsWith("."));
  }

  @ParameterizedTest
  @MethodSource("quantities")
  void aQuantityHasBoundsAndRefusesWhatIsAbsurd(Setting<?> setting) {
    assertThat(setting.allowed()).as(setting.key()).matches(".*(from .+ to .+|up to .+)");
    NEVER.forEach(absurd -> requireRefused(setting, absurd));
  }

  @ParameterizedTest
  @MethodSource("quantities")
  void nothingIsAllowedOnlyWhereItIsSaid(Setting<?> setting) {
    boolean said = setting.allowed().matches(".*(from 0(\\.0)? to .+|or none)");
    for (String nothing : List.of("0", "0s", "none")) {
      if (!said) {
        requireRefused(setting, nothing);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("words")
  void aTextIsNotEndless(Setting<?> setting) {
    requireRefused(setting, "x".repeat(10_000));
  }

  private static void requireRefused(Setting<?> setting, String value) {
    assertThatThrownBy(() -> Settings.of(all(), null, List.of(setting.key() + "=" + value)))
        .as("%s=%s", setting.key(), value)
        .isInstanceOf(UsageException.class)
        .hasMessageStartingWith(setting.key() + ": ");
  }
}
