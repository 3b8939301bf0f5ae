package io.millrace.pipeline.chaos;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.demo.WordNet;
import io.millrace.pipeline.input.ExampleFile;
import io.millrace.pipeline.input.ExampleLimits;
import io.millrace.pipeline.input.ExampleReader;
import io.millrace.schemas.LabeledExample;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.zip.CRC32;

/** A file of examples, dealt out to domains by a hash of their ids. */
record DealtStream(Path file, long examples) {
  static final int DOMAINS = 12;

  private static final ObjectMapper JSON = new ObjectMapper();

  /** Definitions of WordNet. */
  static DealtStream ofWordNet(int examples, Path file) throws IOException {
    return write(WordNet.load().definitions(examples), file);
  }

  /** What can be trained on of another file. */
  static DealtStream of(Path input, Settings settings, Path file) throws IOException {
    List<LabeledExample> examples = new ArrayList<>();
    ExampleFile source = ExampleFile.open(input);
    try (ExampleReader reader = new ExampleReader(source, ExampleLimits.of(settings))) {
      for (Optional<LabeledExample> next = reader.next(); next.isPresent(); next = reader.next()) {
        examples.add(next.get());
      }
    }
    return write(examples, file);
  }

  ExampleFile examplesFile() {
    return ExampleFile.open(file);
  }

  /**
   * This stream with one more domain among the others, each of whose examples has a label of its
   * own.
   */
  DealtStream withCrowdedDomain(String domain, int labels, Path into) throws IOException {
    List<String> lines = Files.readAllLines(file);
    int between = lines.size() / labels;
    try (BufferedWriter out = Files.newBufferedWriter(into)) {
      for (int i = 0; i < lines.size(); i++) {
        out.write(lines.get(i));
        out.write('\n');
        if (i % between == 0 && i / between < labels) {
          int number = i / between;
          out.write(
              JSON.writeValueAsString(
                  Map.of(
                      "domain", domain,
                      "text", "the thing of number " + number,
                      "label", "label " + number)));
          out.write('\n');
        }
      }
    }
    return new DealtStream(into, examples + labels);
  }

  private static DealtStream write(List<LabeledExample> examples, Path file) throws IOException {
    try (BufferedWriter out = Files.newBufferedWriter(file)) {
      for (LabeledExample example : examples) {
        out.write(
            JSON.writeValueAsString(
                Map.of(
                    "id", example.getId(),
                    "domain", domain(example.getId()),
                    "text", example.getText(),
                    "label", example.getLabel())));
        out.write('\n');
      }
    }
    return new DealtStream(file, examples.size());
  }

  private static String domain(String id) {
    CRC32 hash = new CRC32();
    hash.update(id.getBytes(StandardCharsets.UTF_8));
    return "domain-%02d".formatted(hash.getValue() % DOMAINS);
  }
}
