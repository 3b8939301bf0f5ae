package io.millrace.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Holds the classes and methods that pages name against the source. */
@Tag("unit")
class PageNamesTest {
  private static final Path HOME = Path.of(System.getProperty("millrace.home"));

  /** A class, or a member of one, as code: {@code `Trainer`} or {@code `Trainer.step`}. */
  private static final Pattern NAME = Pattern.compile("`([A-Z]\\w*[a-z]\\w*)(?:\\.(\\w+))?`");

  private static final Pattern SOURCE = Pattern.compile(".*\\.java|.*/main/avro/.*\\.avsc");

  private static final Pattern RECORD = Pattern.compile("\"name\": *\"([A-Z]\\w*)\"");

  /** Names of other software. */
  private static final Set<String> FOREIGN = Set.of("CreateTime", "HashMap", "Math", "StrictMath");

  /** The source text of each class and Avro record, by its simple name. */
  private static final Map<String, String> SOURCES = new HashMap<>();

  @BeforeAll
  static void readSources() throws IOException {
    try (DirectoryStream<Path> modules = Files.newDirectoryStream(HOME, Files::isDirectory)) {
      for (Path module : modules) {
        readSources(module.resolve("src"));
      }
    }
  }

  private static void readSources(Path directory) throws IOException {
    if (!Files.isDirectory(directory)) {
      return;
    }
    try (Stream<Path> files = Files.walk(directory)) {
      for (Path file : files.filter(path -> SOURCE.matcher(path.toString()).matches()).toList()) {
        String text = Files.readString(file);
        SOURCES.merge(file.getFileName().toString().split("\\.")[0], text, String::concat);
        RECORD.matcher(text).results().forEach(name -> SOURCES.putIfAbsent(name.group(1), text));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "docs/architecture.md",
        "docs/internals.md",
        "docs/determinism.md",
        "CONTRIBUTING.md"
      })
  void everyClassAndMemberThatAPageNamesExists(String page) throws IOException {
    List<MatchResult> names = NAME.matcher(Files.readString(HOME.resolve(page))).results().toList();

    assertThat(names).isNotEmpty();
    assertThat(names).filteredOn(name -> !exists(name)).map(MatchResult::group).isEmpty();
  }

  private static boolean exists(MatchResult name) {
    String source = SOURCES.get(name.group(1));
    String member = name.group(2);
    return FOREIGN.contains(name.group(1))
        || source != null
            && (member == null || Pattern.compile("\\b" + member + "\\b").matcher(source).find());
  }
}
