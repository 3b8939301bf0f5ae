package io.millrace.pipeline.input;

import io.millrace.client.kafka.Connection;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.input.ExampleProducer.Resume;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** Sends a file from a process that a test can kill; prints every commit. */
final class SendUntilKilled {
  static final List<Setting<?>> SETTINGS =
      Stream.of(Connection.SETTINGS, ExampleLimits.SETTINGS)
          .<Setting<?>>flatMap(List::stream)
          .toList();

  private SendUntilKilled() {}

  /** The file, then settings as {@code key=value}. */
  public static void main(String[] arguments) {
    List<String> sets = List.of(arguments).subList(1, arguments.length);
    new ExampleProducer(Settings.of(SETTINGS, null, sets))
        .send(
            ExampleFile.open(Path.of(arguments[0])),
            Resume.IF_INCOMPLETE,
            sent -> System.out.println("committed " + sent.lines()));
  }
}
