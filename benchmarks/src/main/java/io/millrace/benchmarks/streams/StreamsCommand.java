package io.millrace.benchmarks.streams;

import io.millrace.client.process.UsageException;
import io.millrace.pipeline.demo.WordNet;
import io.millrace.schemas.LabeledExample;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Writes the streams that defaults are measured on. */
@Command(
    name = "streams",
    description = {
      "Write seven streams made from WordNet 3.1 to a directory.",
      "They are the same bytes every time:",
      "  wordnet-turn.jsonl        26 classes; definitions, then usage examples",
      "  wordnet-shifts.jsonl      seven parts, each an abrupt shift: new classes, another kind of"
          + " text, labels swapped",
      "  wordnet-binary.jsonl      two balanced classes: concrete, abstract",
      "  wordnet-recurring.jsonl   three parts that come back twice: classes, others, labels swapped",
      "  wordnet-noisy.jsonl       26 classes; one label of five is wrong",
      "  wordnet-imbalanced.jsonl  ten classes, of 2,048 to 4 examples",
      "  wordnet-long.jsonl        26 classes; texts of more than 128 tokens",
      "bin/millrace train --input FILE reads them."
    })
public final class StreamsCommand implements Callable<Integer> {
  @Parameters(paramLabel = "DIR", description = "Where to; made where it is missing.")
  private Path directory;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() throws IOException {
    try {
      Files.createDirectories(directory);
    } catch (FileAlreadyExistsException e) {
      throw new UsageException(directory + " is not a directory", e);
    }
    PrintWriter out = spec.commandLine().getOut();
    Map<String, List<LabeledExample>> streams = WordNetStreams.all(WordNet.load());
    for (Map.Entry<String, List<LabeledExample>> stream : streams.entrySet()) {
      Path file = directory.resolve(stream.getKey() + ".jsonl");
      Files.writeString(file, JsonLines.of(stream.getValue()), StandardCharsets.UTF_8);
      out.printf(
          "%s: %,d examples, %d labels%n",
          file,
          stream.getValue().size(),
          stream.getValue().stream()
              .map(LabeledExample::getLabel)
              .collect(Collectors.toSet())
              .size());
    }
    out.flush();
    return 0;
  }
}
