package io.millrace.svft;

import io.millrace.svft.training.TrainingExample;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.IntStream;

/** A hundred sentences of many lengths and scripts. */
public final class Sentences {
  public static final List<String> ALL = read();

  private Sentences() {}

  /** Examples in three classes; the same start gives the same examples. */
  public static List<TrainingExample> batch(int start, int size) {
    return IntStream.range(start, start + size)
        .mapToObj(
            i -> new TrainingExample(ALL.get(i % ALL.size()), List.of("a", "b", "c").get(i % 3), 1))
        .toList();
  }

  private static List<String> read() {
    try (var lines =
        new BufferedReader(
            new InputStreamReader(
                Sentences.class.getResourceAsStream("/sentences.txt"), StandardCharsets.UTF_8))) {
      return lines.lines().toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
