package io.millrace.pipeline.cli;

import io.millrace.client.kafka.Connection;
import io.millrace.client.process.Home;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.SettingsOptions;
import io.millrace.pipeline.console.StopSignal;
import io.millrace.pipeline.embedded.EmbeddedFlink;
import io.millrace.pipeline.embedded.EmbeddedStack;
import io.millrace.pipeline.embedded.EmbeddedStack.Ports;
import io.millrace.pipeline.settings.JobSettings;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Keeps an embedded stack running until the process is asked to end. */
@Command(
    name = "up",
    description = {
      "Start Kafka, a schema registry and a Flink session on this machine, and keep them running.",
      "They listen on 127.0.0.1 only; their data lies in one directory and outlives them. No job"
          + " runs until millrace submit starts it.",
      "Ctrl-C stops them (exit code 130)."
    })
final class UpCommand implements Callable<Integer> {
  @Option(
      names = "--data",
      paramLabel = "DIR",
      description = "Directory of the data. Default: data/stack where Millrace is installed.")
  private Path data;

  @Option(
      names = "--kafka-port",
      paramLabel = "PORT",
      defaultValue = "9092",
      description = "Kafka's port; 0 is a free one. Default: ${DEFAULT-VALUE}.")
  private int kafkaPort;

  @Option(
      names = "--registry-port",
      paramLabel = "PORT",
      defaultValue = "8081",
      description = "The schema registry's port; 0 is a free one. Default: ${DEFAULT-VALUE}.")
  private int registryPort;

  @Option(
      names = "--flink-port",
      paramLabel = "PORT",
      defaultValue = "8082",
      description =
          "Port of Flink's REST interface and web page; 0 is a free one. Default:"
              + " ${DEFAULT-VALUE}.")
  private int flinkPort;

  @Option(
      names = "--slots",
      paramLabel = "N",
      defaultValue = "2",
      description = "Task slots of the Flink session. Default: ${DEFAULT-VALUE}.")
  private int slots;

  @Mixin private final Output output = new Output();

  @Mixin private final SettingsOptions settings = new SettingsOptions(EmbeddedStack.SETTINGS);

  @Override
  public Integer call() {
    Path directory = data == null ? Home.data().resolve("stack") : data;
    Ports ports = new Ports(kafkaPort, registryPort);
    output.progress("Starting Kafka, the schema registry and Flink ...");
    try (StopSignal stop = StopSignal.install();
        EmbeddedStack stack = EmbeddedStack.start(directory, ports, settings.load());
        EmbeddedFlink flink = EmbeddedFlink.start(directory.resolve("flink"), flinkPort, slots)) {
      describe(stack, flink, directory);
      CompletableFuture.anyOf(stop.requested(), stack.ended()).join();
      if (!stop.requested().isDone()) {
        throw new IllegalStateException("the schema registry has ended by itself");
      }
      output.progress("Stopping ...");
      return 0;
    }
  }

  private void describe(EmbeddedStack stack, EmbeddedFlink flink, Path directory) {
    Path checkpoints = directory.toAbsolutePath().normalize().resolve("checkpoints");
    String connection =
        unlessDefault(Connection.BOOTSTRAP_SERVERS, stack.bootstrapServers())
            + unlessDefault(Connection.REGISTRY_URL, stack.registryUrl());
    String session = flink.port() == 8082 ? "" : " --flink 127.0.0.1:" + flink.port();
    boolean usual = checkpoints.equals(Home.data().resolve("stack").resolve("checkpoints"));
    String place =
        usual ? "" : " --set " + JobSettings.CHECKPOINT_DIRECTORY.key() + "=" + checkpoints;
    output.say("Kafka            " + stack.bootstrapServers());
    output.say("Schema registry  " + stack.registryUrl());
    output.say("Flink            http://127.0.0.1:" + flink.port());
    output.say("Data             " + directory.toAbsolutePath().normalize());
    output.say("");
    output.say("Start the job:   bin/millrace submit" + session + connection + place);
    output.say("Send examples:   bin/millrace produce --input FILE.jsonl" + connection);
    output.say("Serve adapters:  bin/millrace serve" + connection);
    output.say(
        "See the page:    http://127.0.0.1:8080/ of serve, or bin/millrace dashboard" + connection);
    output.say("Stop:            Ctrl-C");
    output.json(
        () ->
            Json.object()
                .put("kafka", stack.bootstrapServers())
                .put("registry", stack.registryUrl())
                .put("flink", "http://127.0.0.1:" + flink.port())
                .put("data", directory.toAbsolutePath().normalize().toString()));
  }

  private static String unlessDefault(Setting<String> setting, String value) {
    return value.equals(setting.defaultValue()) ? "" : " --set " + setting.key() + "=" + value;
  }
}
