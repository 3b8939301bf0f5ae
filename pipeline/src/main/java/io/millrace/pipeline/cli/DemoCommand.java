package io.millrace.pipeline.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.client.process.ExitCode;
import io.millrace.client.process.Home;
import io.millrace.client.settings.Settings;
import io.millrace.client.settings.SettingsOptions;
import io.millrace.pipeline.console.StopSignal;
import io.millrace.pipeline.demo.Demo;
import io.millrace.pipeline.demo.DemoResult;
import io.millrace.pipeline.settings.JobSettings;
import io.millrace.pipeline.submission.InitialAdapters;
import io.millrace.pipeline.submission.RecordLimits;
import io.millrace.svft.model.ModelFiles;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Runs the demo. */
@Command(
    name = "demo",
    description = {
      "Watch a pre-trained language model adapt itself, live, to a stream of labeled text: WordNet's"
          + " definitions, then its usage examples, each with one of 26 classes.",
      "Everything runs on this machine: Kafka, a schema registry, Flink and a serving process. It"
          + " takes some minutes and ends with a table; no option is needed."
    })
final class DemoCommand implements Callable<Integer> {
  @Option(
      names = "--data",
      paramLabel = "DIR",
      description = "Directory of the data. Default: data/demo where Millrace is installed.")
  private Path data;

  @Option(
      names = "--definitions",
      paramLabel = "N",
      defaultValue = "5000",
      description = "Definitions at the stream's beginning. Default: ${DEFAULT-VALUE}.")
  private int definitions;

  @Option(
      names = "--usages",
      paramLabel = "N",
      defaultValue = "5000",
      description = "Usage examples after them. Default: ${DEFAULT-VALUE}.")
  private int usages;

  @Option(
      names = "--keep",
      description =
          "Go on at the end, until Ctrl-C: the page stays, and labels for what you ask there or over"
              + " HTTP are trained on.")
  private boolean keep;

  @Mixin private final Output output = new Output();

  @Mixin private final SettingsOptions options = new SettingsOptions(TrainCommand.SETTINGS);

  @Override
  public Integer call() throws IOException {
    long start = System.nanoTime();
    Settings settings = options.load();
    JobSettings.localSlots(settings);
    ModelFiles model = BaseModels.prepare(settings);
    RecordLimits.requireFit(settings, model);
    InitialAdapters.requireFit(settings, model).forEach(output::warn);
    RunDirectory run = RunDirectory.startAnew(data == null ? Home.data().resolve("demo") : data);
    try (StopSignal stop = StopSignal.install()) {
      Demo demo =
          new Demo(settings, run.path(), serve(), stop, output::progress, definitions, usages);
      Optional<DemoResult> result =
          demo.run(
              shown -> {
                run.finish();
                show(shown, start);
              },
              keep ? Optional.of(() -> goOn(stop)) : Optional.empty());
      if (result.isEmpty()) {
        output.warn("Stopped.");
        return ExitCode.STOPPED;
      }
      if (!result.get().everyVersionServed()) {
        throw new IllegalStateException("not every version that was published also served");
      }
      return 0;
    }
  }

  private void goOn(StopSignal stop) {
    output.progress("All of it runs on; Ctrl-C ends it.");
    stop.requested().join();
  }

  private void show(DemoResult result, long start) {
    result.lines().forEach(output::say);
    output.json(() -> json(result));
    output.say("Time           %.0f s".formatted((System.nanoTime() - start) / 1e9));
  }

  /** The closing table, with percentiles in place of ten thousand times. */
  static JsonNode json(DemoResult result) {
    ObjectNode json = (ObjectNode) Json.tree(result);
    json.remove("labelToLiveMillis");
    json.putObject("labelToLiveSeconds")
        .put("p50", result.labelToLive(0.5))
        .put("p99", result.labelToLive(0.99));
    return json;
  }

  private static List<String> serve() {
    return List.of(Home.directory().resolve("bin").resolve("millrace").toString(), "serve");
  }
}
