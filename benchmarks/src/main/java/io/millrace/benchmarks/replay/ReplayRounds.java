package io.millrace.benchmarks.replay;

import io.millrace.benchmarks.process.MillraceProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import java.util.regex.Pattern;

/** Trains on a file and replays that training, in turn, each in a process of its own. */
final class ReplayRounds implements AutoCloseable {
  /** Exit code of {@code replay} where a version differs, and where it failed. */
  private static final int DIFFERS = 1;

  private static final Pattern DETAILS = Pattern.compile(" \\(details in .*\\)$");

  private final Path home;
  private final Path input;
  private final Path data;
  private final Path reports;
  private final Consumer<String> progress;
  private volatile MillraceProcess running;

  /**
   * @param home the directory with {@code bin/millrace}
   * @param data directory of the trainings' data, each of which replaces the one before
   * @param reports directory for what the commands report
   * @param progress takes lines for people
   */
  ReplayRounds(Path home, Path input, Path data, Path reports, Consumer<String> progress) {
    this.home = home;
    this.input = input;
    this.data = data;
    this.reports = reports;
    this.progress = progress;
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
        run(
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
      throw failed(round, "train", exitCode);
    }
    return ReportedRate.ofTraining(report).requireRate();
  }

  private int replay(String round, Path report) throws InterruptedException {
    int exitCode =
        run(
            round,
            List.of("replay", "--data", data.toString(), "--all", "--report", report.toString()));
    if (exitCode != 0 && !(exitCode == DIFFERS && Files.exists(report))) {
      throw failed(round, "replay", exitCode);
    }
    return exitCode;
  }

  private int run(String round, List<String> arguments) throws InterruptedException {
    progress.accept(round + ": " + arguments.get(0));
    try (MillraceProcess process = MillraceProcess.start(home, arguments)) {
      running = process;
      return process.await(line -> progress.accept("  " + line));
    }
  }

  private IllegalStateException failed(String round, String command, int exitCode) {
    String failure = running.failure();
    return new IllegalStateException(
        "%s: bin/millrace %s failed: %s"
            .formatted(
                round,
                command,
                failure.isEmpty()
                    ? "its exit code is " + exitCode
                    // Its directory may be removed already.
                    : DETAILS.matcher(failure).replaceFirst("; --data DIR keeps its log")));
  }

  /** Ends the command that still runs, if any. */
  @Override
  public void close() {
    MillraceProcess last = running;
    if (last != null) {
      last.close();
    }
  }
}
