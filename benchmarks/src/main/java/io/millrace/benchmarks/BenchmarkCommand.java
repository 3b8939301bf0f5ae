package io.millrace.benchmarks;

import io.millrace.benchmarks.domains.DomainLoadCommand;
import io.millrace.benchmarks.domains.DomainWaitsCommand;
import io.millrace.benchmarks.domains.DomainsCommand;
import io.millrace.benchmarks.engine.EngineRates;
import io.millrace.benchmarks.engine.MatrixProductRates;
import io.millrace.benchmarks.frozen.FrozenCostCommand;
import io.millrace.benchmarks.live.LabelToLiveCommand;
import io.millrace.benchmarks.recording.RecordingCost;
import io.millrace.benchmarks.replay.ReplayCommand;
import io.millrace.benchmarks.serving.DomainsServingCommand;
import io.millrace.benchmarks.serving.LargeStoreCommand;
import io.millrace.benchmarks.serving.PageTabsCommand;
import io.millrace.benchmarks.serving.ServingCommand;
import io.millrace.benchmarks.serving.SwapsCommand;
import io.millrace.benchmarks.streams.StreamsCommand;
import io.millrace.client.process.CommandLines;
import io.millrace.client.process.UsageException;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.NoBenchmarksException;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.CommandLineOptionException;
import org.openjdk.jmh.runner.options.CommandLineOptions;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;
import picocli.CommandLine.Unmatched;

/** The {@code benchmark} command line: JMH's own, and what prepares its input. */
@Command(
    name = "benchmark",
    customSynopsis = {"benchmark [JMH OPTIONS] [REGEX...]", "benchmark COMMAND"},
    description = {
      "Run the benchmarks whose names match, all of them without a REGEX, or a command.",
      "",
      "JMH's options that matter most (-h lists them all):",
      "  -l                     list the benchmarks, run none",
      "  -f 1 -wi 2 -i 3        forks, warm-up iterations, measured iterations",
      "  -w 1s -r 1s            how long an iteration of each takes",
      "  -p NAME=VALUE,VALUE    run these values of a parameter only",
      "  -rf json -rff FILE     write the results to a file, too",
      ""
    },
    commandListHeading = "%nCommands:%n",
    subcommands = {
      StreamsCommand.class,
      ReplayCommand.class,
      SwapsCommand.class,
      ServingCommand.class,
      LargeStoreCommand.class,
      DomainsServingCommand.class,
      PageTabsCommand.class,
      LabelToLiveCommand.class,
      DomainsCommand.class,
      DomainLoadCommand.class,
      DomainWaitsCommand.class,
      FrozenCostCommand.class
    })
public final class BenchmarkCommand implements Callable<Integer> {
  @Option(names = "--help", usageHelp = true, description = "Show this help and exit.")
  private boolean help;

  @Spec private CommandSpec spec;

  @Unmatched private List<String> jmh = new ArrayList<>();

  public static void main(String[] args) {
    System.exit(CommandLines.run(new BenchmarkCommand(), args));
  }

  /** Without a command: JMH. */
  @Override
  public Integer call() throws Exception {
    CommandLineOptions options = options();
    Runner runner = new Runner(options);
    if (options.shouldHelp()) {
      options.showHelp();
    } else if (options.shouldList()) {
      runner.list();
    } else if (options.shouldListWithParams()) {
      runner.listWithParams(options);
    } else if (options.shouldListProfilers()) {
      options.listProfilers();
    } else if (options.shouldListResultFormats()) {
      options.listResultFormats();
    } else {
      run(runner);
    }
    return 0;
  }

  private CommandLineOptions options() {
    try {
      return new CommandLineOptions(jmh.toArray(String[]::new));
    } catch (CommandLineOptionException e) {
      throw new UsageException(e.getMessage(), e);
    }
  }

  private void run(Runner runner) throws RunnerException {
    try {
      Collection<RunResult> results = runner.run();
      Map<String, String> tables = new LinkedHashMap<>();
      MatrixProductRates products = MatrixProductRates.of(results);
      if (!products.isEmpty()) {
        tables.put("GFLOP/s, all threads together", products.toString());
      }
      tables.putAll(EngineRates.of(results).tables());
      RecordingCost recording = RecordingCost.of(results);
      if (!recording.isEmpty()) {
        tables.put("Recording, with its share of a step", recording.toString());
      }
      PrintWriter out = spec.commandLine().getOut();
      tables.forEach((title, table) -> out.println("\n" + title + ":\n\n" + table));
      out.flush();
    } catch (NoBenchmarksException e) {
      throw new UsageException("no benchmark matches " + String.join(" ", jmh), e);
    }
  }
}
