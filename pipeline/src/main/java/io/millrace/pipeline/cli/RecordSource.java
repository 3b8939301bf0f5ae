package io.millrace.pipeline.cli;

import io.millrace.client.kafka.Connection;
import io.millrace.client.process.Home;
import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Settings;
import io.millrace.client.settings.SettingsOptions;
import io.millrace.pipeline.embedded.EmbeddedStack;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Function;
import picocli.CommandLine.Option;

/** Connects commands to the Kafka of a running stack or of a data directory; a picocli mixin. */
final class RecordSource {
  @Option(
      names = "--data",
      paramLabel = "DIR",
      description =
          "Read the data directory of an earlier train, demo or up instead of a running Kafka.")
  private Path data;

  /** Where commands leave for each other what they have read of {@code rollouts}. */
  static Path cache() {
    return Home.data().resolve("cache").resolve("rollouts");
  }

  /** Whether the user named a directory. */
  boolean named() {
    return data != null;
  }

  /** Reads from Kafka; if the user named a directory, starts its stack for that time. */
  <T> T read(Settings settings, PrintWriter err, Function<Connection, T> reader) {
    if (data == null) {
      return reader.apply(new Connection(settings));
    }
    if (!Files.exists(data.resolve("kafka").resolve("meta.properties"))) {
      throw new UsageException("--data: " + data + " holds no data of a train, demo or up");
    }
    if (!SettingsOptions.isQuiet()) {
      err.println("Starting Kafka and the schema registry of " + data + " ...");
      err.flush();
    }
    Settings defaults = Settings.of(EmbeddedStack.SETTINGS, null, List.of());
    try (EmbeddedStack stack = EmbeddedStack.start(data, EmbeddedStack.Ports.FREE, defaults)) {
      return reader.apply(new Connection(stack.connect(settings)));
    }
  }
}
