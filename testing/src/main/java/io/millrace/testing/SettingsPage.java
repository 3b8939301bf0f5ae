package io.millrace.testing;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A part of the page of all settings, made of what the commands' help says, so that the page cannot
 * say anything else. With {@code -Dsettings.write=true} a test writes its part instead of comparing
 * it.
 */
public final class SettingsPage {
  private static final String HEAD = "Settings and their defaults:";
  private static final Pattern SETTING = Pattern.compile("  ([\\w.]+\\*?)(?:=(.*))?");

  /** What a value may be stands in brackets, at the end. */
  private static final Pattern TEXT = Pattern.compile("(.*?)(?: \\[([^\\[\\]]*)\\])?");

  /** Defaults that depend on the machine. */
  private static final Map<String, String> OF_THE_MACHINE =
      Map.of(
          "training.threads", "2, or 1 where there is one processor",
          "serving.concurrency", "the processors",
          "model.store", "data/models");

  /** Commands may say different things of one setting. */
  private record Entry(String key, String byDefault, String text) {}

  private final Map<Entry, Set<String>> commands =
      new TreeMap<>(
          Comparator.comparing(Entry::key)
              .thenComparing(Entry::byDefault)
              .thenComparing(Entry::text));

  /**
   * Takes the settings from a command's help.
   *
   * @param help as the command prints it
   */
  public void add(String command, String help) {
    int from = help.indexOf(HEAD);
    if (from < 0) {
      return;
    }
    String key = null;
    String byDefault = null;
    StringBuilder text = new StringBuilder();
    for (String line : help.substring(from + HEAD.length()).split("\n")) {
      Matcher setting = SETTING.matcher(line);
      if (setting.matches()) {
        put(command, key, byDefault, text);
        key = setting.group(1);
        byDefault = setting.group(2);
        text.setLength(0);
      } else {
        text.append(' ').append(line.strip());
      }
    }
    put(command, key, byDefault, text);
  }

  private void put(String command, String key, String byDefault, StringBuilder text) {
    if (key != null) {
      String shown = OF_THE_MACHINE.getOrDefault(key, byDefault);
      Entry entry = new Entry(key, shown == null ? "" : shown, text.toString().strip());
      commands.computeIfAbsent(entry, each -> new TreeSet<>()).add(command);
    }
  }

  /** A table, sorted by key. */
  private String table() {
    StringBuilder table =
        new StringBuilder(
            "| setting | default | what it does | may be | read by |\n|---|---|---|---|---|\n");
    commands.forEach(
        (entry, readers) -> {
          Matcher text = TEXT.matcher(entry.text);
          text.matches();
          table.append(
              "| `%s` | %s | %s | %s | %s |\n"
                  .formatted(
                      entry.key,
                      entry.byDefault.isEmpty() ? "" : "`" + cell(entry.byDefault) + "`",
                      cell(text.group(1)),
                      text.group(2) == null ? "" : cell(text.group(2)),
                      String.join(", ", readers)));
        });
    return table.toString();
  }

  private static String cell(String text) {
    return text.replace("|", "\\|").replace("<", "&lt;");
  }

  /**
   * Compares a part of a page, or writes it.
   *
   * @param part between the lines {@code <!-- PART -->} and {@code <!-- end -->}
   * @return why it is not what it must be; empty where it is
   */
  public String difference(Path page, String part) throws IOException {
    String text = Files.readString(page);
    String begin = "<!-- " + part + " -->\n";
    int from = text.indexOf(begin) + begin.length();
    int to = text.indexOf("<!-- end -->", from);
    if (from < begin.length() || to < 0) {
      return page + " has no part " + part;
    }
    if (text.substring(from, to).equals(table())) {
      return "";
    }
    if (Boolean.getBoolean("settings.write")) {
      Files.writeString(page, text.substring(0, from) + table() + text.substring(to));
      return "";
    }
    return "part %s of %s is not what --help says: run this test with -Dsettings.write=true"
        .formatted(part, page.getFileName());
  }
}
