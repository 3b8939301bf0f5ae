package io.millrace.benchmarks.domains;

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

/** What the runs' reports are taken for; a shell script writes them. */
@Tag("unit")
class DomainRoundsTest {
  /** A report: examples, examples/s, and the hash of the domain {@code a}. */
  private static final String REPORT =
      "report() { echo \"{\\\"examples\\\": $1, \\\"examplesPerSecond\\\": $2, \\\"steps\\\": 8,"
          + " \\\"trainStepMillis\\\": {\\\"p50\\\": 20, \\\"p99\\\": 31.5},"
          + " \\\"peakRssMiB\\\": 1200, \\\"domains\\\": {\\\"a\\\": {\\\"lastSha256\\\": $3},"
          + " \\\"b\\\": {\\\"lastSha256\\\": \\\"0b\\\"}}}\" > $4; }\n";

  @TempDir Path home;
  private final List<String> lines = new ArrayList<>();

  @Test
  void waysTakeTurnsWithTheirOwnInputAndSettings() throws Exception {
    rounds("echo $3 $8 $9\n" + REPORT + "report 32 100 '\"0a\"' $7").run(2);

    assertThat(lines)
        .containsExactly(
            "round 1 of 2, one domain: train",
            "  one.jsonl --set batch.size=16",
            "round 1 of 2, grouped: train",
            "  many.jsonl --set batch.size=4",
            "round 1 of 2, one by one: train",
            "  many.jsonl --set training.groupWait=none",
            "round 2 of 2, one domain: train",
            "  one.jsonl --set batch.size=16",
            "round 2 of 2, grouped: train",
            "  many.jsonl --set batch.size=4",
            "round 2 of 2, one by one: train",
            "  many.jsonl --set training.groupWait=none");
  }

  @Test
  void ratesStandBesideThatOfOneDomain() throws Exception {
    DomainRates rates =
        rounds(
                REPORT
                    + "case $9 in batch.size=16) rate=200;; batch.size=4) rate=160;; *) rate=50;;"
                    + " esac\n"
                    + "report 32 $rate '\"0a\"' $7")
            .run(1);

    assertThat(rates.different()).isEmpty();
    assertThat(rates.domains()).isEqualTo(2);
    assertThat(rates.toString())
        .isEqualTo(
            """
            | training | examples/s | ratio | steps | ms per step, p50 | p99 | peak memory, MiB |
            |---|---:|---:|---:|---:|---:|---:|
            | one domain | 200.0 | 1.00 | 8 | 20.0 | 31.5 | 1,200 |
            | grouped | 160.0 | 0.80 | 8 | 20.0 | 31.5 | 1,200 |
            | one by one | 50.0 | 0.25 | 8 | 20.0 | 31.5 | 1,200 |
            """);
  }

  @Test
  void aDomainThatEndsOtherwiseIsNamed() throws Exception {
    // Every run gives another hash; that of one domain alone is compared with none.
    DomainRates rates =
        rounds(REPORT + "echo x >> $0.n\nreport 32 100 \"\\\"$(wc -l < $0.n)\\\"\" $7").run(1);

    assertThat(rates.different()).containsExactly("a");
  }

  @Test
  void noVersionIsNotTheSameVersion() throws Exception {
    assertThat(rounds(REPORT + "report 32 100 null $7").run(1).different()).containsExactly("a");
  }

  @Test
  void aRunOfOtherExamplesIsNoMeasurement() throws Exception {
    DomainRounds rounds = rounds(REPORT + "report 31 100 null $7");

    assertThatThrownBy(() -> rounds.run(1))
        .hasMessage("round 1 of 1, one domain: trained on 31 of 32 examples, with 0 dead letters");
  }

  @Test
  void aRunThatFailsEndsIt() throws Exception {
    DomainRounds rounds = rounds("echo 'millrace: no broker (details in /x/y.log)'; exit 1");

    assertThatThrownBy(() -> rounds.run(3))
        .hasMessage(
            "round 1 of 3, one domain: bin/millrace train failed: no broker; --data DIR keeps its"
                + " log");
  }

  private DomainRounds rounds(String script) throws IOException {
    Path launcher = Files.createDirectories(home.resolve("bin")).resolve("millrace");
    Files.writeString(launcher, "#!/bin/sh\n" + script);
    if (!launcher.toFile().setExecutable(true)) {
      throw new IOException("cannot make " + launcher + " executable");
    }
    List<Way> ways =
        List.of(
            new Way(home, "one domain", Path.of("one.jsonl"), List.of("batch.size=16"), false),
            new Way(home, "grouped", Path.of("many.jsonl"), List.of("batch.size=4"), true),
            new Way(
                home,
                "one by one",
                Path.of("many.jsonl"),
                List.of("training.groupWait=none"),
                true));
    return new DomainRounds(ways, 32, home.resolve("data"), home.resolve("reports"), lines::add);
  }
}
