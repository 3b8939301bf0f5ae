package io.millrace.benchmarks.replay;

import io.millrace.benchmarks.process.MillraceCommands;
import io.millrace.client.process.ExitCode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;

/** Trains on a file and replays that training, in turn, each in a process of its own. */
final class ReplayRounds implements AutoCloseable {
  private final MillraceCommands commands;
  private final Path input;
  private final Path data;
  private final Path reports;

  /**
   * @param home the directory with {@code bin/millrace}
   * @param data directory of the trainings' data, each of which replaces the one before
   * @param reports directory for what the commands report
   * @param progress takes lines for people
   */
  ReplayRounds(Path home, Path input, Path data, Path reports, Consumer<String> progress) {
    this.commands = new MillraceCommands(home, progress);
    this.input = input;
    this.data = data;
    this.reports = reports;
  }

  /**
   * Runs a number of rounds.
   *
   * @throws IllegalStateException where a command fails; the message says which and why
   */
  ReplayRates run(int rounds) throws IOException, InterruptedException {
    ReplayRates rates = new ReplayRates();
    for (int round = 1; round <= rounds; round++) {
      String name = "round " + round + " of " + rounds;
      ReportedRate training = train(name);
      Path report = Files.createDirectories(reports).resolve("replay.json");
      // A report exists where a version differs, not where the replay failed.
      Files.deleteIfExists(report);
      int exitCode = replay(name, report);
      ReportedRate replay = ReportedRate.ofReplay(report);
      if (exitCode == 0 && replay.requireRate().examples() != training.examples()) {
        throw new IllegalStateException(
            "%s: replay took %,d examples, training %,d"
                .formatted(name, replay.examples(), training.examples()));
      }
      rates.add(training, replay, exitCode == 0);
    }
    return rates;
  }

  private ReportedRate train(String round) throws IOException, InterruptedException {
    Path report = Files.createDirectories(reports).resolve("train.json");
    int exitCode =
        commands.run(
            round,
            List.of(
                "train",
                "--input",
                input.toString(),
                "--data",
                data.toString(),
                "--report",
                report.toString()));
    if (exitCode != 0) {
      throw commands.failed(round, "train", exitCode);
    }
    return ReportedRate.ofTraining(report).requireRate();
  }

  private int replay(String round, Path report) throws InterruptedException {
    int exitCode =
        commands.run(
            round,
            List.of("replay", "--data", data.toString(), "--all", "--report", report.toString()));
    if (exitCode != 0 && !(exitCode == ExitCode.MISMATCH && Files.exists(report))) {
      throw commands.failed(round, "replay", exitCode);
    }
    return exitCode;
  }

  /** Ends the command that still runs, if any. */
  @Override
  public void close() {
    commands.close();
  }
}
