package io.millrace.benchmarks.domains;

import io.millrace.benchmarks.process.StackProcess;
import io.millrace.benchmarks.process.TemporaryDirectory;
import io.millrace.benchmarks.streams.JsonLines;
import io.millrace.client.process.Home;
import io.millrace.client.process.UsageException;
import io.millrace.pipeline.demo.WordNet;
import io.millrace.schemas.LabeledExample;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.Predicate;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Trains very many domains, kills that in the middle, and goes on. */
@Command(
    name = "domain-load",
    description = {
      "Train very many domains, with a version of each at every step; kill the process in the middle,"
          + " as kill -9 does, and start it again. Tell its memory over time and what its checkpoints"
          + " wrote, and count how often each example was trained on.",
      "Each domain has as many examples and comes again only after all others have. Exit code 1 where"
          + " an example was lost, or trained on twice."
    })
public final class DomainLoadCommand implements Callable<Integer> {
  @Option(
      names = "--domains",
      paramLabel = "N",
      defaultValue = "100000",
      description = "Domains. Default: ${DEFAULT-VALUE}.")
  private int domains;

  @Option(
      names = "--examples",
      paramLabel = "N",
      defaultValue = "200000",
      description = "Examples of all of them together. Default: ${DEFAULT-VALUE}.")
  private int examples;

  @Option(
      names = "--batch",
      paramLabel = "N",
      defaultValue = "2",
      description = "Examples in a batch. Default: ${DEFAULT-VALUE}.")
  private int batch;

  @Option(
      names = "--kill-at",
      paramLabel = "PERCENT",
      defaultValue = "60",
      description =
          "The part of the examples after which the first run is killed; a run says how many it has"
              + " every five seconds. Default: ${DEFAULT-VALUE}.")
  private int killAt;

  @Option(
      names = "--kill-at-checkpoint",
      paramLabel = "N",
      description = "Kill after so many checkpoints instead, where a run takes seconds only.")
  private Integer killAtCheckpoint;

  @Option(
      names = "--heap",
      paramLabel = "SIZE",
      defaultValue = "2g",
      description =
          "Limit of the process's heap, as Java's -Xmx. Kafka and what train keeps for its report are"
              + " in it. Default: ${DEFAULT-VALUE}.")
  private String heap;

  @Option(
      names = "--look-every",
      paramLabel = "S",
      defaultValue = "10",
      description =
          "Seconds from one look at the memory to the next, with a full collection. Default:"
              + " ${DEFAULT-VALUE}.")
  private int lookEvery;

  @Option(
      names = "--set",
      paramLabel = "KEY=VALUE",
      description = "One more setting of the training.")
  private List<String> settings = new ArrayList<>();

  @Option(
      names = "--data",
      paramLabel = "DIR",
      description =
          "Keep the training's data here: nothing but logs may be there yet. Default: a temporary"
              + " directory, removed at the end.")
  private Path data;

  @Spec private CommandSpec spec;

  private final Path home;

  public DomainLoadCommand() {
    this(Home.directory());
  }

  /**
   * @param home the directory with {@code bin/millrace}
   */
  DomainLoadCommand(Path home) {
    this.home = home;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    if (domains < 1 || batch < 1 || lookEvery < 1) {
      throw new UsageException("--domains, --batch and --look-every are 1 or more");
    }
    if (examples < domains) {
      throw new UsageException(
          "--examples: %d is less than one for each of %d domains".formatted(examples, domains));
    }
    if (killAt < 1 || killAt > 99) {
      throw new UsageException("--kill-at: %d is not 1 to 99".formatted(killAt));
    }
    if (data != null && !StackProcess.canKeepDataIn(data)) {
      throw new UsageException("--data: " + data + " holds something already; name a new one");
    }
    try (TemporaryDirectory temporary = TemporaryDirectory.create("millrace-domain-load")) {
      Path directory = (data == null ? temporary.path().resolve("data") : data).toAbsolutePath();
      Path input = temporary.path().resolve("examples.jsonl");
      write(input);
      KilledTraining training =
          new KilledTraining(
              home,
              arguments(input, directory),
              Map.of("MILLRACE_JAVA_OPTS", "-Xmx" + heap),
              new CheckpointFiles(directory.resolve("checkpoints")),
              Duration.ofSeconds(lookEvery),
              this::progress);
      training.run(middle());
      return say(DomainLoad.read(directory, training));
    }
  }

  private void write(Path input) throws IOException {
    List<LabeledExample> texts = WordNet.load().definitions(examples);
    try (Writer out = Files.newBufferedWriter(input)) {
      for (LabeledExample example : DealtExamples.inTurn(texts, examples, domains)) {
        out.write(JsonLines.of(List.of(example)));
      }
    }
  }

  private List<String> arguments(Path input, Path directory) {
    List<String> arguments =
        new ArrayList<>(
            List.of(
                "train",
                "--input",
                input.toString(),
                "--data",
                directory.toString(),
                "--set",
                "batch.size=" + batch,
                // All at once at the end of the input they would be one transaction.
                "--set",
                "publish.everySteps=1"));
    settings.forEach(setting -> arguments.addAll(List.of("--set", setting)));
    return arguments;
  }

  private Predicate<KilledTraining> middle() {
    return killAtCheckpoint == null
        ? training -> training.trained() * 100 >= (long) killAt * examples
        : training -> training.checkpoints().completed() >= killAtCheckpoint;
  }

  private int say(DomainLoad load) {
    PrintWriter out = spec.commandLine().getOut();
    out.printf("%n%s%n", load.memory());
    CheckpointFiles checkpoints = load.training().checkpoints();
    out.printf(
        Locale.ROOT,
        "%,d examples in %,d steps of %,d domains.%n",
        load.examples(),
        load.steps(),
        load.domains());
    out.printf(
        Locale.ROOT,
        "%,d checkpoints wrote %,.0f MB: %,d bytes for each domain that had stepped since the one"
            + " before.%n",
        checkpoints.completed(),
        checkpoints.written() / 1e6,
        load.checkpointBytesPerActiveDomain());
    if (load.steps() < 2 * load.domains()) {
      out.println(
          "Most domains have one step, which trains the head alone: their states are nearly all zeros,"
              + " which RocksDB compresses. Take fewer --domains for states of full size.");
    }
    out.println(
        load.exactlyOnce()
            ? "Every example was trained on exactly once."
            : "NOT every example was trained on exactly once: %,d were not, %,d again."
                .formatted(load.never(), load.twice()));
    out.flush();
    return load.exactlyOnce() ? 0 : 1;
  }

  private void progress(String line) {
    PrintWriter err = spec.commandLine().getErr();
    err.println(line);
    err.flush();
  }
}
