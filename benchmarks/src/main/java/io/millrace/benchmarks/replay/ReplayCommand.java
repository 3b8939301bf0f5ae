package io.millrace.benchmarks.replay;

import io.millrace.benchmarks.process.StackProcess;
import io.millrace.benchmarks.process.TemporaryDirectory;
import io.millrace.benchmarks.streams.JsonLines;
import io.millrace.benchmarks.streams.WordNetStreams;
import io.millrace.client.process.Home;
import io.millrace.client.process.UsageException;
import io.millrace.pipeline.demo.WordNet;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Measures the rate of a replay, compared with the training that it repeats. */
@Command(
    name = "replay",
    description = {
      "Train on a file and replay that training, in turn, and set their rates side by side.",
      "Each runs as a process of its own: bin/millrace train, then bin/millrace replay --all. Rates"
          + " are from the end of the first step to the end of the last.",
      "Exit code 1 where a version came out otherwise in the replay."
    })
public final class ReplayCommand implements Callable<Integer> {
  /** A stream without shifts and with two labels. */
  private static final String STREAM = "wordnet-binary";

  @Option(
      names = "--input",
      paramLabel = "FILE.jsonl",
      description = "The examples, as bin/millrace train reads them. Default: 3,000 from WordNet.")
  private Path input;

  @Option(
      names = "--rounds",
      paramLabel = "N",
      defaultValue = "3",
      description = "How often each runs. Default: ${DEFAULT-VALUE}.")
  private int rounds;

  @Option(
      names = "--data",
      paramLabel = "DIR",
      description =
          "Keep the last training's data here: nothing but logs may be there yet. Default: a"
              + " temporary directory, removed at the end.")
  private Path data;

  @Spec private CommandSpec spec;

  private final Path home;

  public ReplayCommand() {
    this(Home.directory());
  }

  /**
   * @param home the directory with {@code bin/millrace}
   */
  ReplayCommand(Path home) {
    this.home = home;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    if (rounds < 1) {
      throw new UsageException("--rounds: " + rounds + " is less than 1");
    }
    if (input != null && !Files.isReadable(input)) {
      throw new UsageException("--input: cannot read " + input);
    }
    if (data != null && !StackProcess.canKeepDataIn(data)) {
      throw new UsageException("--data: " + data + " holds something already; name a new one");
    }
    try (TemporaryDirectory temporary = TemporaryDirectory.create("millrace-replay");
        ReplayRounds measured = rounds(temporary.path())) {
      return say(measured.run(rounds));
    }
  }

  private ReplayRounds rounds(Path temporary) throws IOException {
    Path stream = input;
    if (stream == null) {
      stream = temporary.resolve(STREAM + ".jsonl");
      Files.writeString(stream, JsonLines.of(WordNetStreams.all(WordNet.load()).get(STREAM)));
    }
    Path trained = data == null ? temporary.resolve("data") : data;
    return new ReplayRounds(
        home, stream.toAbsolutePath(), trained.toAbsolutePath(), temporary, this::progress);
  }

  private int say(ReplayRates rates) {
    PrintWriter out = spec.commandLine().getOut();
    out.printf("%n%s%n", rates);
    out.printf(Locale.ROOT, "Replay ran at %.2f times the speed of training.%n", rates.ratio());
    out.println(
        rates.same()
            ? "Every version came out the same, bit for bit."
            : "NOT every version came out the same: bin/millrace replay says which.");
    out.flush();
    return rates.same() ? 0 : 1;
  }

  private void progress(String line) {
    PrintWriter err = spec.commandLine().getErr();
    err.println(line);
    err.flush();
  }
}
