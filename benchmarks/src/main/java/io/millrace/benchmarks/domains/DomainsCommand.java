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
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Measures training of many domains with small batches, beside one domain with full ones. */
@Command(
    name = "domains",
    description = {
      "Train on the same texts as one domain, and dealt out to many: in groups, and domain by domain."
          + " Set the rates side by side, and compare the domains' last versions.",
      "The texts are WordNet's definitions, dealt out by their hash. Each run is bin/millrace train in"
          + " a process of its own; the runs of a round come in turn. Rates are from the end of the"
          + " first step to the end of the last.",
      "Exit code 1 where a domain's last version depends on how it was trained."
    })
public final class DomainsCommand implements Callable<Integer> {
  private static final int FULL_BATCH = 16;
  private static final int MOST_NAMED = 5;

  @Option(
      names = "--domains",
      paramLabel = "N",
      defaultValue = "1000",
      description = "Domains that the texts are dealt out to. Default: ${DEFAULT-VALUE}.")
  private int domains;

  @Option(
      names = "--examples",
      paramLabel = "N",
      defaultValue = "16000",
      description = "Texts in all. Default: ${DEFAULT-VALUE}.")
  private int examples;

  @Option(
      names = "--batch",
      paramLabel = "N",
      defaultValue = "4",
      description = "Examples in a batch of one of many domains. Default: ${DEFAULT-VALUE}.")
  private int batch;

  @Option(
      names = "--rounds",
      paramLabel = "N",
      defaultValue = "3",
      description = "How often each runs. Default: ${DEFAULT-VALUE}.")
  private int rounds;

  @Option(
      names = "--slices",
      description = "Also train domain by domain in the layout of earlier releases.")
  private boolean slices;

  @Option(
      names = "--before",
      paramLabel = "DIR",
      description =
          "Also train domain by domain with another release of Millrace, whose bin/millrace is in"
              + " DIR. Its bits are not compared.")
  private Path before;

  @Option(
      names = "--data",
      paramLabel = "DIR",
      description =
          "Keep the last run's data here: nothing but logs may be there yet. Default: a temporary"
              + " directory, removed at the end.")
  private Path data;

  @Spec private CommandSpec spec;

  private final Path home;

  public DomainsCommand() {
    this(Home.directory());
  }

  /**
   * @param home the directory with {@code bin/millrace}
   */
  DomainsCommand(Path home) {
    this.home = home;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    if (domains < 2) {
      throw new UsageException("--domains: " + domains + " is less than 2");
    }
    if (batch < 1 || rounds < 1) {
      throw new UsageException("--batch and --rounds are 1 or more");
    }
    if (data != null && !StackProcess.canKeepDataIn(data)) {
      throw new UsageException("--data: " + data + " holds something already; name a new one");
    }
    if (before != null && !Files.isRegularFile(before.resolve("bin/millrace"))) {
      throw new UsageException("--before: " + before + " has no bin/millrace");
    }
    WordNet wordNet = WordNet.load();
    int most = wordNet.definitions(Integer.MAX_VALUE).size();
    if (examples < 1 || examples > most) {
      throw new UsageException("--examples: %d is not 1 to %d".formatted(examples, most));
    }
    try (TemporaryDirectory temporary = TemporaryDirectory.create("millrace-domains");
        DomainRounds measured = rounds(wordNet.definitions(examples), temporary.path())) {
      return say(measured.run(rounds));
    }
  }

  private DomainRounds rounds(List<LabeledExample> texts, Path temporary) throws IOException {
    Path one = temporary.resolve("one.jsonl");
    Path many = temporary.resolve("many.jsonl");
    Files.writeString(one, JsonLines.of(DealtExamples.toOne(texts)));
    Files.writeString(many, JsonLines.of(DealtExamples.byHash(texts, domains)));
    String small = "batch.size=" + batch;
    String each = "training.groupWait=none";
    String dealt = "%,d domains, batches of %d, ".formatted(domains, batch);
    List<Way> ways = new ArrayList<>();
    ways.add(
        new Way(
            home,
            "one domain, batches of " + FULL_BATCH,
            one,
            List.of("batch.size=" + FULL_BATCH),
            false));
    ways.add(new Way(home, dealt + "grouped", many, List.of(small), true));
    ways.add(new Way(home, dealt + "one by one", many, List.of(small, each), true));
    if (slices) {
      ways.add(
          new Way(
              home,
              dealt + "one by one, in slices",
              many,
              List.of(small, each, "training.layout=slices"),
              false));
    }
    if (before != null) {
      ways.add(
          new Way(
              before.toAbsolutePath(),
              dealt + "by the other release",
              many,
              List.of(small),
              false));
    }
    return new DomainRounds(
        ways,
        texts.size(),
        (data == null ? temporary.resolve("data") : data).toAbsolutePath(),
        temporary,
        this::progress);
  }

  private int say(DomainRates rates) {
    PrintWriter out = spec.commandLine().getOut();
    out.printf("%n%s%n", rates);
    List<String> different = rates.different();
    if (different.isEmpty()) {
      out.printf(
          Locale.ROOT,
          "All %,d domains end with the same sha256, grouped and one by one.%n",
          rates.domains());
    } else {
      out.printf(
          Locale.ROOT,
          "%,d of %,d domains do NOT end with the same sha256 in every run: %s%s.%n",
          different.size(),
          rates.domains(),
          String.join(", ", different.subList(0, Math.min(MOST_NAMED, different.size()))),
          different.size() > MOST_NAMED ? " ..." : "");
    }
    out.flush();
    return different.isEmpty() ? 0 : 1;
  }

  private void progress(String line) {
    PrintWriter err = spec.commandLine().getErr();
    err.println(line);
    err.flush();
  }
}
