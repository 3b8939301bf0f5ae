package io.millrace.inference;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.testing.SettingsPage;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;
import picocli.CommandLine.Help.Ansi;

/** The page of settings says what the help of {@code serve} and {@code dashboard} says. */
@Tag("unit")
class SettingsPageTest {
  @Test
  void thePageSaysWhatHelpSays() throws Exception {
    SettingsPage settings = new SettingsPage();
    settings.add("dashboard", new CommandLine(new DashboardCommand()).getUsageMessage(Ansi.OFF));
    settings.add("serve", new CommandLine(new ServeCommand()).getUsageMessage(Ansi.OFF));

    assertThat(settings.difference(Path.of("../docs/settings.md"), "serve")).isEmpty();
  }
}
