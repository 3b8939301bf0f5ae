package io.millrace.pipeline.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.client.kafka.Connection;
import io.millrace.client.process.ExitCode;
import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.client.settings.SettingsOptions;
import io.millrace.pipeline.console.Progress;
import io.millrace.pipeline.console.StopSignal;
import io.millrace.pipeline.input.ExampleFile;
import io.millrace.pipeline.input.ExampleLimits;
import io.millrace.pipeline.input.ExampleProducer;
import io.millrace.pipeline.input.ExampleProducer.Resume;
import io.millrace.pipeline.input.RejectedLines;
import io.millrace.pipeline.input.Sent;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Sends a file of examples to Kafka. */
@Command(
    name = "produce",
    description = {
      "Send a file of labeled examples to Kafka, each line exactly once.",
      "A line is {\"domain\", \"text\", \"label\"} with, if you like, \"id\" and \"eventTime\" (ISO-8601); other"
          + " fields are kept as metadata. Bad lines go to the topic dead-letters with their reason; if all"
          + " are bad, the exit code is 1.",
      "Run it again after a crash: it goes on where it stopped. A file that was sent whole is sent again."
    })
final class ProduceCommand implements Callable<Integer> {
  private static final List<Setting<?>> SETTINGS =
      Stream.of(Connection.SETTINGS, ExampleLimits.SETTINGS)
          .<Setting<?>>flatMap(List::stream)
          .toList();

  @Option(
      names = "--input",
      paramLabel = "FILE.jsonl",
      description =
          "The file, one JSON object a line; gzip files are unpacked. - reads the standard input.")
  private Path input;

  /** The option without its name. */
  @Parameters(paramLabel = "FILE.jsonl", arity = "0..1", hidden = true)
  private Path file;

  @Mixin private final Output output = new Output();

  @Mixin private final SettingsOptions options = new SettingsOptions(SETTINGS);

  /** What earlier runs had sent; null until Kafka has answered. */
  private Sent start;

  @Override
  public Integer call() {
    if ((input == null) == (file == null)) {
      throw new UsageException(
          input == null
              ? "--input FILE.jsonl is needed: the file to send"
              : "--input %s and %s: give one file".formatted(input, file));
    }
    Settings settings = options.load();
    long begin = System.nanoTime();
    try (StopSignal stop = StopSignal.install()) {
      try {
        ExampleFile file = open();
        Sent sent = send(file, settings, stop);
        output.say(summary(file, sent, Duration.ofNanos(System.nanoTime() - begin)));
        output.json(() -> json(file, sent));
        if (sent.examples() == 0 && sent.deadLetters() > 0) {
          throw new IllegalStateException(
              RejectedLines.nothingIn(file.shortName(), sent.deadLettersByClass()));
        }
        return 0;
      } catch (CancellationException e) {
        output.warn(e.getMessage() + "; run it again to go on from there");
        return ExitCode.STOPPED;
      }
    }
  }

  private ExampleFile open() {
    Path path = input == null ? file : input;
    try (Progress progress = Progress.ofBytes("Reading", path.toFile().length())) {
      return ExampleFile.open(path, progress::at);
    }
  }

  private Sent send(ExampleFile file, Settings settings, StopSignal stop) {
    try (Progress progress = Progress.ofBytes("Sending", file.length())) {
      return new ExampleProducer(settings)
          .send(file, Resume.IF_INCOMPLETE, sent -> committed(sent, progress, stop));
    }
  }

  private void committed(Sent sent, Progress progress, StopSignal stop) {
    if (start == null) {
      start = sent;
    }
    progress.at(sent.bytes(), String.format(Locale.ROOT, "%,d examples", sent.examples()));
    if (stop.requested().isDone() && !sent.complete()) {
      throw new CancellationException("stopped after line " + sent.lines());
    }
  }

  private JsonNode json(ExampleFile file, Sent sent) {
    ObjectNode json = Json.object();
    json.put("file", file.shortName()).put("sha256", file.sha256());
    json.put("afterLine", start.lines()).put("lines", sent.lines());
    json.put("examples", sent.examples()).put("deadLetters", sent.deadLetters());
    return json.set("deadLettersByClass", Json.tree(sent.deadLettersByClass()));
  }

  private String summary(ExampleFile file, Sent sent, Duration duration) {
    String text =
        String.format(
            Locale.ROOT,
            "%s: %,d examples and %,d dead letters are in Kafka (%.1f s)",
            file.shortName(),
            sent.examples(),
            sent.deadLetters(),
            duration.toMillis() / 1e3);
    if (start.lines() > 0) {
      text +=
          String.format(Locale.ROOT, ", going on after line %,d of an earlier run", start.lines());
    }
    String reasons =
        sent.deadLettersByClass().entrySet().stream()
            .map(letters -> letters.getKey() + " " + letters.getValue())
            .collect(Collectors.joining(", "));
    return reasons.isEmpty() ? text : text + ": " + reasons;
  }
}
