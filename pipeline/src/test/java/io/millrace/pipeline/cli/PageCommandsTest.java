package io.millrace.pipeline.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.client.process.Home;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

/**
 * Every command in the pages is one: its name, options and settings exist. The pages' commands are
 * not run here; what a reader would get for a slip of the pen is the usage message.
 */
@Tag("unit")
class PageCommandsTest {
  /** Not those that a page shows with the error they give. */
  private static final Pattern COMMAND =
      Pattern.compile("(?m)^(?:\\$ )?bin/millrace (?!COMMAND)(.*)$(?!\nmillrace: )");

  private static final Pattern WORD = Pattern.compile("'([^']*)'|\"([^\"]*)\"|(\\S+)");
  private static final Pattern ROW = Pattern.compile("(?m)^\\| `([^`]+)` \\|.*\\| ([^|]*) \\|$");

  /** What the serving module's commands declare; the launcher hands their arguments on. */
  private static final List<String> HANDED_ON = List.of("serve", "dashboard");

  private record Written(String page, String command) {
    @Override
    public String toString() {
      return page + ": bin/millrace " + command;
    }
  }

  @Test
  void everyCommandCanBeParsed() throws IOException {
    List<Written> all = commands();
    assertThat(all).hasSizeGreaterThan(40);
    List<String> wrong = new ArrayList<>();
    Map<String, String> settings = settings();
    for (Written each : all) {
      List<String> words = words(each.command());
      String problem = problem(words);
      if (problem.isEmpty()) {
        problem = unknownSettings(words, settings);
      }
      if (!problem.isEmpty()) {
        wrong.add(each + "\n    " + problem);
      }
    }
    assertThat(wrong).isEmpty();
  }

  private static String problem(List<String> words) {
    if (words.isEmpty() || HANDED_ON.contains(words.get(0))) {
      return "";
    }
    try {
      new CommandLine(new MillraceCommand()).parseArgs(words.toArray(String[]::new));
      return "";
    } catch (CommandLine.ParameterException e) {
      return e.getMessage();
    }
  }

  private static String unknownSettings(List<String> words, Map<String, String> settings) {
    for (int i = 0; i + 1 < words.size(); i++) {
      if (words.get(i).equals("--set")) {
        String key = words.get(i + 1).replaceAll("=.*", "");
        if (!isKnown(key, settings)) {
          return "no such setting: " + key;
        }
      }
    }
    return "";
  }

  private static boolean isKnown(String key, Map<String, String> settings) {
    return settings.containsKey(key)
        // Those of other systems, and of single domains.
        || Stream.of("flink.", "kafka.", "schema.registry.").anyMatch(key::startsWith)
        || (key.startsWith("domains.")
            && settings.keySet().stream().anyMatch(each -> key.endsWith("." + each)));
  }

  /** The commands that read each setting. */
  private static Map<String, String> settings() throws IOException {
    Map<String, String> settings = new TreeMap<>();
    Matcher row = ROW.matcher(Files.readString(docs().resolve("settings.md")));
    while (row.find()) {
      settings.put(row.group(1), row.group(2));
    }
    return settings;
  }

  private static Path docs() {
    return Home.directory().resolve("docs");
  }

  private static List<Written> commands() throws IOException {
    List<Written> commands = new ArrayList<>();
    try (Stream<Path> pages =
        Stream.concat(
            Files.list(docs()),
            Stream.of("README.md", "CONTRIBUTING.md").map(Home.directory()::resolve))) {
      pages
          .filter(page -> page.toString().endsWith(".md"))
          .sorted()
          .forEach(page -> add(page, commands));
    }
    return commands;
  }

  private static void add(Path page, List<Written> commands) {
    try {
      // A backslash at a line's end goes on with the next.
      String text = Files.readString(page).replaceAll("\\\\\n\\s*", "");
      Matcher found = COMMAND.matcher(text);
      while (found.find()) {
        commands.add(new Written(page.getFileName().toString(), found.group(1)));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The words up to a comment, a pipe or what follows the command. */
  private static List<String> words(String command) {
    List<String> words = new ArrayList<>();
    Matcher word = WORD.matcher(command.replaceAll("\\s+(#|\\||>|2>|&&|&).*$", ""));
    while (word.find()) {
      words.add(
          Stream.of(1, 2, 3).map(word::group).filter(each -> each != null).findFirst().orElse(""));
    }
    return words;
  }
}
