package io.millrace.pipeline.input;

import io.millrace.pipeline.input.LineReader.Line;
import io.millrace.pipeline.input.ParsedLine.Accepted;
import io.millrace.pipeline.input.ParsedLine.Rejected;
import io.millrace.schemas.LabeledExample;
import java.io.Closeable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Collections;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Reads a file's examples in order, without Kafka: those that {@link ExampleProducer} would send.
 * What it would make a dead letter is left out and counted; blank lines are no lines.
 */
public final class ExampleReader implements Closeable {
  private final ExampleFile file;
  private final ExampleParser parser;
  private final LineReader lines;
  private final SortedMap<String, Long> skipped = new TreeMap<>();
  private long examples;

  /** Starts at the file's first line. */
  public ExampleReader(ExampleFile file, ExampleLimits limits) {
    this.file = file;
    this.parser = new ExampleParser(limits);
    try {
      this.lines = file.lines(limits.lineBytes(), 0, 0);
    } catch (IOException e) {
      throw cannotRead(e);
    }
  }

  /**
   * The next example; empty at the file's end.
   *
   * @throws IllegalStateException at the end, if the file was changed meanwhile
   */
  public Optional<LabeledExample> next() {
    try {
      for (Optional<Line> line = lines.next(); line.isPresent(); line = lines.next()) {
        if (line.get().isBlank()) {
          continue;
        }
        ParsedLine parsed = parser.parse(line.get());
        if (parsed instanceof Accepted accepted) {
          examples++;
          return Optional.of(accepted.example());
        } else if (parsed instanceof Rejected rejected) {
          skipped.merge(rejected.error().getErrorClass(), 1L, Long::sum);
        }
      }
      file.requireUnchanged();
      return Optional.empty();
    } catch (IOException e) {
      throw cannotRead(e);
    }
  }

  /** Examples read so far. */
  public long examples() {
    return examples;
  }

  /** Bytes read so far. */
  public long position() {
    return lines.position();
  }

  /** Lines left out so far, by error class. */
  public SortedMap<String, Long> skipped() {
    return Collections.unmodifiableSortedMap(skipped);
  }

  @Override
  public void close() {
    try {
      lines.close();
    } catch (IOException e) {
      throw cannotRead(e);
    }
  }

  private UncheckedIOException cannotRead(IOException e) {
    return new UncheckedIOException("cannot read " + file.name(), e);
  }
}
