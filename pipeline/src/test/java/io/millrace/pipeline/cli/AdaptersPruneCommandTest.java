package io.millrace.pipeline.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.client.kafka.Connection;
import io.millrace.client.process.ExitCode;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.TestStack;
import io.millrace.pipeline.embedded.EmbeddedStack;
import io.millrace.pipeline.records.TestJob;
import io.millrace.pipeline.records.TestVersions;
import io.millrace.testing.ApicurioRegistry;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.Services;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/** Deleting versions from a running stack. */
@ExtendWith(Services.class)
@Tag("integration")
@Timeout(200)
class AdaptersPruneCommandTest {
  private static Settings settings;

  @BeforeAll
  static void publish(KafkaBroker kafka, ApicurioRegistry registry) throws Exception {
    List<Setting<?>> all =
        Stream.of(EmbeddedStack.SETTINGS, Connection.SETTINGS)
            .<Setting<?>>flatMap(List::stream)
            .toList();
    Settings defaults = Settings.of(all, null, List.of());
    settings = TestStack.renew(kafka, registry, defaults).connect(defaults);
    try (TestJob job = new TestJob(new Connection(settings), "job")) {
      TestVersions.chain("mail", 12).forEach(job::publish);
      TestVersions.chain("reviews", 9).forEach(job::publish);
      TestVersions.chain("few", 2).forEach(job::publish);
    }
  }

  @Test
  void whatNobodyNeedsIsDeletedAndListsAndRolloutsFollow() {
    assertThat(millrace("rollout", "pin", "--domain", "mail", "--version", "3").exitCode())
        .isZero();
    assertThat(millrace("rollout", "canary", "--domain", "reviews", "--version", "2").exitCode())
        .isZero();

    Said dry = millrace("adapters", "prune", "--keep", "4", "--dry-run");
    assertThat(dry.exitCode()).as("%s", dry).isZero();
    assertThat(dry.text())
        .contains("mail: would delete 1 to 2, 4 to 8, ")
        .contains("reviews: would delete 1, 3 to 5, ")
        .doesNotContain("few:")
        .contains("11 of 23 versions would be deleted; nothing was");
    assertThat(listed("mail")).hasSize(12);

    Said said = millrace("adapters", "prune", "--keep", "4", "--domain", "mail");
    assertThat(said.exitCode()).as("%s", said).isZero();
    assertThat(listed("mail")).containsExactly("3", "9", "10", "11", "12");
    assertThat(listed("reviews")).hasSize(9);

    assertThat(millrace("adapters", "prune", "--keep", "4").text())
        .doesNotContain("mail:")
        .contains("4 of 16 versions deleted");
    assertThat(listed("reviews")).containsExactly("2", "6", "7", "8", "9");
    assertThat(millrace("adapters", "prune", "--keep", "4").text())
        .isEqualTo("0 of 12 versions deleted");

    Said verified = millrace("adapters", "verify");
    assertThat(verified.exitCode()).as("%s", verified).isZero();
    Said gone = millrace("rollout", "pin", "--domain", "mail", "--version", "5");
    assertThat(gone.exitCode()).isEqualTo(ExitCode.NOT_FOUND);
    assertThat(gone.line()).contains("there is no version 5 any more");
    assertThat(millrace("rollout", "status", "--domain", "mail").text()).contains("pinned");
  }

  @Test
  void whatIsNotOldEnoughStays() {
    // All were made on 2 January 2026.
    assertThat(millrace("adapters", "prune", "--older-than", "30000d", "--dry-run").text())
        .endsWith("would be deleted; nothing was")
        .startsWith("0 of ");
    assertThat(millrace("adapters", "prune", "--older-than", "1h", "--dry-run").text())
        .contains("few: would delete 1, ");
  }

  @Test
  void aMistakeIsOneLineAndExitCodeTwo() {
    assertMistake("--keep N, --older-than D, or both are needed");
    assertMistake("--keep: 0 is not 1 or more", "--keep", "0");
    assertMistake(
        "--older-than: \"soon\" is no time such as 30d, 12h or PT90M", "--older-than", "soon");
    assertMistake("--older-than: \"PT-1H\" is no time", "--older-than", "PT-1H");
    assertRefused(
        ExitCode.NOT_FOUND,
        "no adapters of the domain \"nobody\"",
        "--keep",
        "1",
        "--domain",
        "nobody");
  }

  private static void assertMistake(String message, String... options) {
    assertRefused(ExitCode.USAGE, message, options);
  }

  private static void assertRefused(int exitCode, String message, String... options) {
    List<String> arguments = new ArrayList<>(List.of("adapters", "prune"));
    arguments.addAll(List.of(options));
    Said said = millrace(arguments.toArray(String[]::new));
    assertThat(said.exitCode()).as("%s", said).isEqualTo(exitCode);
    assertThat(said.line()).contains(message);
  }

  /** Numbers of a domain's versions. */
  private static List<String> listed(String domain) {
    return millrace("adapters", "list", "--domain", domain).out().stream()
        .skip(1)
        .map(line -> line.split(" +")[1])
        .toList();
  }

  private static Said millrace(String... arguments) {
    List<String> all = new ArrayList<>(List.of(arguments));
    for (Setting<?> setting : List.of(Connection.BOOTSTRAP_SERVERS, Connection.REGISTRY_URL)) {
      all.addAll(List.of("--set", setting.key() + "=" + settings.get(setting)));
    }
    return Said.run(all.toArray(String[]::new));
  }
}
