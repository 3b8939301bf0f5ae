package io.millrace.pipeline.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.testing.SettingsPage;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;
import picocli.CommandLine.Help.Ansi;

/** The page of settings says what the commands' help says. */
@Tag("unit")
class SettingsPageTest {
  private static final Path PAGE =
      Path.of(System.getProperty("millrace.home"), "docs", "settings.md");

  @Test
  void thePageSaysWhatHelpSays() throws Exception {
    SettingsPage settings = new SettingsPage();
    add(settings, "", new CommandLine(new MillraceCommand()));

    assertThat(settings.difference(PAGE, "tools")).isEmpty();
  }

  private static void add(SettingsPage settings, String above, CommandLine commands) {
    commands
        .getSubcommands()
        .forEach(
            (name, command) -> {
              settings.add(above + name, command.getUsageMessage(Ansi.OFF));
              add(settings, above + name + " ", command);
            });
  }
}
