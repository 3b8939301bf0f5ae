package io.millrace.benchmarks.domains;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.millrace.benchmarks.process.MillraceCommands;
import io.millrace.pipeline.report.RunReport;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/** Trains on the same examples in several ways, in turn, each run in a process of its own. */
final class DomainRounds implements AutoCloseable {
  private static final JsonMapper JSON =
      JsonMapper.builder().disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES).build();

  private final MillraceCommands commands;
  private final List<Way> ways;
  private final long examples;
  private final Path data;
  private final Path reports;

  /**
   * @param ways the first is the one that others are compared with
   * @param examples in the input of each
   * @param data directory of the runs' data, each of which replaces the one before
   * @param reports directory for what the runs report
   * @param progress takes lines for people
   */
  DomainRounds(List<Way> ways, long examples, Path data, Path reports, Consumer<String> progress) {
    this.commands = new MillraceCommands(ways.get(0).home(), progress);
    this.ways = ways;
    this.examples = examples;
    this.data = data;
    this.reports = reports;
  }

  /**
   * Runs a number of rounds.
   *
   * @throws IllegalStateException where a run fails, or trains on other examples than it was given
   */
  DomainRates run(int rounds) throws IOException, InterruptedException {
    DomainRates rates = new DomainRates(ways);
    for (int round = 1; round <= rounds; round++) {
      List<RunReport> ofRound = new ArrayList<>();
      for (Way way : ways) {
        ofRound.add(train("round %d of %d, %s".formatted(round, rounds, way.name()), way));
      }
      rates.add(ofRound);
    }
    return rates;
  }

  private RunReport train(String what, Way way) throws IOException, InterruptedException {
    Path report = Files.createDirectories(reports).resolve("train.json");
    Files.deleteIfExists(report);
    List<String> arguments =
        new ArrayList<>(
            List.of(
                "train",
                "--input",
                way.input().toString(),
                "--data",
                data.toString(),
                "--report",
                report.toString()));
    way.settings().forEach(setting -> arguments.addAll(List.of("--set", setting)));
    int exitCode = commands.run(way.home(), what, arguments);
    if (exitCode != 0) {
      throw commands.failed(what, "train", exitCode);
    }
    RunReport run = read(report);
    if (run.examples() != examples || run.deadLetters() != 0) {
      throw new IllegalStateException(
          "%s: trained on %,d of %,d examples, with %,d dead letters"
              .formatted(what, run.examples(), examples, run.deadLetters()));
    }
    if (run.examplesPerSecond() <= 0) {
      throw new IllegalStateException(
          "%s: %,d examples are too few for a rate".formatted(what, examples));
    }
    return run;
  }

  private static RunReport read(Path report) {
    try {
      return JSON.readValue(report.toFile(), RunReport.class);
    } catch (IOException e) {
      throw new IllegalStateException("cannot read the report " + report, e);
    }
  }

  /** Ends the run that still runs, if any. */
  @Override
  public void close() {
    commands.close();
  }
}
