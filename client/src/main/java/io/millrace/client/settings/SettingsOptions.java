package io.millrace.client.settings;

import io.millrace.client.process.UsageException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * The options every command takes, as a picocli mixin; {@code --help} then ends with the command's
 * settings:
 *
 * <pre>{@code
 * @Mixin private final SettingsOptions options = new SettingsOptions(SETTINGS);
 * }</pre>
 */
public final class SettingsOptions {
  private static final Pattern LINE = Pattern.compile("(\\S.{0,70})(\\s+|$)");

  /** Where log events go besides the log file; every process with settings has it. */
  static final Setting<String> LOG_CONSOLE =
      Setting.choice(
          "log.console",
          "none",
          List.of("none", "text", "json"),
          "Log events on standard error as well, one line each, as in containers.");

  /** System property: whether the user wants to see no progress. */
  private static final String QUIET = "millrace.quiet";

  private static final String CONSOLE_PROPERTY = "millrace.log.console";

  private final List<Setting<?>> known;

  @Option(
      names = "--config",
      paramLabel = "FILE",
      description =
          "Settings, as a Java properties file. May be repeated; a later file wins over an earlier"
              + " one.")
  private List<Path> configFiles = new ArrayList<>();

  @Option(
      names = "--set",
      paramLabel = "KEY=VALUE",
      description = "One setting; wins over files and environment. May be repeated.")
  private List<String> sets = new ArrayList<>();

  /** Sets a system property, since progress is shown by whatever takes its time. */
  @Option(
      names = {"-q", "--quiet"},
      defaultValue = "false",
      description = "Show no progress: results, warnings and errors only.")
  private void quiet(boolean quiet) {
    System.setProperty(QUIET, String.valueOf(quiet));
  }

  /** For a command that declares {@code known}. */
  public SettingsOptions(List<Setting<?>> known) {
    List<Setting<?>> all = new ArrayList<>(known);
    all.add(LOG_CONSOLE);
    this.known = List.copyOf(all);
  }

  /**
   * What the user set.
   *
   * @throws UsageException as {@link Settings#of}
   */
  public Settings load() {
    Settings settings = load(System.getenv());
    // Read with each event, by log4j2.xml. What is shown makes no other run.
    System.setProperty(CONSOLE_PROPERTY, settings.get(LOG_CONSOLE));
    return settings.without(LOG_CONSOLE);
  }

  /**
   * What files, that environment and options set, {@code log.console} included; for whoever checks
   * a command line that runs elsewhere.
   *
   * @throws UsageException as {@link Settings#of}
   */
  public Settings load(Map<String, String> environment) {
    return Settings.of(known, configFiles, environment, sets);
  }

  /** Whether the user wants to see no progress. */
  public static boolean isQuiet() {
    return Boolean.getBoolean(QUIET);
  }

  @Spec(Spec.Target.MIXEE)
  void describe(CommandSpec command) {
    List<String> footer = new ArrayList<>(List.of(command.usageMessage().footer()));
    footer.addAll(
        List.of(
            "",
            "An environment variable sets any of them: MILLRACE_KAFKA_BOOTSTRAP_SERVERS is",
            "kafka.bootstrap.servers, and the file that MILLRACE_KAFKA_SASL_JAAS_CONFIG_FILE names",
            "holds kafka.sasl.jaas.config. --set wins over the environment, and that over --config.",
            "",
            "Settings and their defaults:"));
    for (Setting<?> setting : known) {
      // picocli formats the footer, so a percent sign must be doubled.
      lines(setting).forEach(line -> footer.add(line.replace("%", "%%")));
    }
    command.usageMessage().footer(footer.toArray(String[]::new));
  }

  private static <T> List<String> lines(Setting<T> setting) {
    List<String> lines = new ArrayList<>();
    lines.add(
        setting.isPrefix()
            ? "  " + setting.key() + "*"
            : "  " + setting.key() + "=" + setting.format(setting.defaultValue()));
    String allowed = setting.allowed().isEmpty() ? "" : " [" + setting.allowed() + "]";
    // picocli would wrap these lines too, but lose their indentation.
    Matcher wrapped = LINE.matcher(setting.description() + allowed);
    while (wrapped.find()) {
      lines.add("      " + wrapped.group(1));
    }
    return lines;
  }
}
