package io.millrace.benchmarks.replay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the commands' ends are taken for; shell scripts end as they do. */
@Tag("unit")
class ReplayRoundsTest {
  private static final String TRAINED =
      "[ $1 = train ] && echo '{\"examples\": 32, \"examplesPerSecond\": 100}' > $7 && exit 0\n";
  private static final String REPLAYED =
      "echo '[{\"examples\": 32, \"examplesPerSecond\": 90}]' > $6\n";

  @TempDir Path home;
  private final List<String> lines = new ArrayList<>();

  @Test
  void roundsAlternateAndSayWhatRuns() throws Exception {
    ReplayRates rates = rounds("echo $1 runs\n" + TRAINED + REPLAYED).run(2);

    assertThat(lines)
        .containsExactly(
            "round 1 of 2: train",
            "  train runs",
            "round 1 of 2: replay",
            "  replay runs",
            "round 2 of 2: train",
            "  train runs",
            "round 2 of 2: replay",
            "  replay runs");
    assertThat(rates.ratio()).isEqualTo(0.9);
    assertThat(rates.same()).isTrue();
  }

  @Test
  void exitCode1WithAReportIsADifference() throws Exception {
    assertThat(rounds(TRAINED + REPLAYED + "exit 1").run(1).same()).isFalse();
  }

  @Test
  void exitCode1WithoutAReportIsAFailure() throws Exception {
    ReplayRounds rounds =
        rounds(TRAINED + "echo 'millrace: no broker (details in /x/y.log)'; exit 1");

    assertThatThrownBy(() -> rounds.run(1))
        .hasMessage(
            "round 1 of 1: bin/millrace replay failed: no broker; --data DIR keeps its log");
  }

  @Test
  void aReportOfTheRoundBeforeIsNoReport() throws Exception {
    ReplayRounds rounds = rounds(TRAINED + "mkdir $0.again || exit 1\n" + REPLAYED);

    assertThatThrownBy(() -> rounds.run(2))
        .hasMessage("round 2 of 2: bin/millrace replay failed: its exit code is 1");
  }

  @Test
  void aTrainingThatFailsEndsIt() throws Exception {
    ReplayRounds rounds = rounds("echo 'millrace: x.jsonl line 3 is no JSON' >&2; exit 2");

    assertThatThrownBy(() -> rounds.run(3))
        .hasMessage("round 1 of 3: bin/millrace train failed: x.jsonl line 3 is no JSON");
  }

  @Test
  void aReplayOfOtherExamplesIsNoMeasurement() throws Exception {
    ReplayRounds rounds = rounds(TRAINED + REPLAYED.replace("32", "16"));

    assertThatThrownBy(() -> rounds.run(1))
        .hasMessage("round 1 of 1: replay took 16 examples, training 32");
  }

  @Test
  void withoutALauncherItSaysWhereOneWouldBe() {
    ReplayRounds rounds =
        new ReplayRounds(home, home.resolve("in"), home.resolve("data"), home, lines::add);

    assertThatThrownBy(() -> rounds.run(1))
        .hasMessage("there is no program " + home.resolve("bin/millrace"));
  }

  private ReplayRounds rounds(String script) throws IOException {
    Path launcher = Files.createDirectories(home.resolve("bin")).resolve("millrace");
    Files.writeString(launcher, "#!/bin/sh\n" + script);
    if (!launcher.toFile().setExecutable(true)) {
      throw new IOException("cannot make " + launcher + " executable");
    }
    return new ReplayRounds(
        home, home.resolve("in"), home.resolve("data"), home.resolve("reports"), lines::add);
  }
}
