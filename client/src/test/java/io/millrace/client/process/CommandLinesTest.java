package io.millrace.client.process;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.client.settings.Setting;
import io.millrace.client.settings.SettingsOptions;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Tag("unit")
class CommandLinesTest {
  private static final Setting<Integer> SIZE =
      Setting.integer("batch.size", 16, 1, 1024, "Examples per step; 100% of them.");

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();
  private Throwable failure;

  @Command(name = "millrace")
  private static final class Top {}

  @Command(name = "train", description = "Trains.", footer = "A remark.")
  private final class Train implements Callable<Integer> {
    @Mixin private final SettingsOptions options = new SettingsOptions(List.of(SIZE));

    @Option(names = "--epochs")
    private int epochs;

    @Override
    public Integer call() throws Exception {
      if (failure instanceof Error error) {
        throw error;
      }
      if (failure instanceof Exception exception) {
        throw exception;
      }
      return options.load().get(SIZE) + epochs;
    }
  }

  /** Its exit code for a difference is that of other commands for a failure. */
  @Command(name = "check", exitCodeOnExecutionException = ExitCode.NOT_COMPARED)
  private final class Check implements Callable<Integer> {
    @Override
    public Integer call() throws Exception {
      throw (Exception) failure;
    }
  }

  @AfterEach
  void forgetTheLogFile() {
    System.clearProperty(CommandLines.LOG_FILE);
  }

  /** Prints a name as commands do: within a line, within JSON, and in an error. */
  @Command(name = "say")
  private static final class Say implements Callable<Integer> {
    private static final String NAME = "a\u001b[31mRED\r\u202etxet\nd: version 1";

    @Spec private CommandSpec spec;

    @Override
    public Integer call() {
      PrintWriter out = spec.commandLine().getOut();
      out.println(NAME + ": version 2");
      out.print("{\n  \"name\": \"\u202etxet\"\n}\n");
      out.printf("%s%n", "\u009b2K");
      spec.commandLine().getErr().println("millrace: left out, " + NAME);
      throw new UsageException("there is no domain " + NAME);
    }
  }

  @Test
  void noNameReachesTheTerminalAsItIs() {
    CommandLine top = new CommandLine(new Top()).addSubcommand(new Say());
    top.setOut(new PrintWriter(out, true)).setErr(new PrintWriter(err, true));

    assertThat(CommandLines.run(top, "say")).isEqualTo(2);

    String name = "a\\u001b[31mRED\\r\\u202etxet\\nd: version 1";
    assertThat(out.toString())
        .isEqualTo(name + ": version 2\n{\n  \"name\": \"\\u202etxet\"\n}\n\\u009b2K\n");
    assertThat(err.toString())
        .isEqualTo(
            "millrace: left out, "
                + name
                + "\nmillrace: there is no domain "
                + name.replace("\\r", " ").replace("\\n", " ")
                + " (try: millrace say --help)\n");
  }

  @Test
  void aCommandGetsItsSettingsAndItsExitCodeIsReturned() {
    assertThat(run("train", "--set", "batch.size=40", "--epochs", "2")).isEqualTo(42);
    assertThat(err.toString()).isEmpty();
  }

  @Test
  void aCommandTakesSeveralFilesOfSettings(@TempDir Path directory) throws Exception {
    Path shared = Files.writeString(directory.resolve("shared"), "batch.size=2");
    Path own = Files.writeString(directory.resolve("own"), "batch.size=3");

    assertThat(run("train", "--config", shared.toString(), "--config", own.toString()))
        .isEqualTo(3);
  }

  @Test
  void everyCommandHasHelpThatEndsWithItsSettings() {
    assertThat(run("train", "--help")).isZero();
    assertThat(out.toString())
        .contains("Trains.", "--config=FILE", "--set=KEY=VALUE", "-h, --help")
        .containsSubsequence(
            "A remark.",
            "batch.size=16",
            "Examples per step; 100% of them.",
            "a whole number from 1 to 1024");
    assertThat(run("--help")).isZero();
    assertThat(err.toString()).isEmpty();
  }

  @Test
  void helpOfACommandIsWhatItsOptionShows() {
    assertThat(run("train", "--help")).isZero();
    String shown = out.toString();
    out.getBuffer().setLength(0);

    assertThat(run("help", "train")).isZero();

    assertThat(out).hasToString(shown);
    failsWith(
        2,
        "millrace: millrace has no command \"tran\" (try: millrace help --help)",
        "help",
        "tran");
  }

  @Test
  void theWholeSaysItsVersionAndACommandMayHaveVersionsOfItsOwn() {
    assertThat(run("--version")).isZero();

    assertThat(out.toString()).matches("millrace \\d+\\.\\d+\\.\\d+(-SNAPSHOT)?\\R");
    failsWith(
        2,
        "millrace: Unknown option: '--version' (try: millrace train --help)",
        "train",
        "--version");
  }

  @Test
  void badArgumentsAreOneLine() {
    failsWith(
        2,
        "millrace: Unknown option: '--epoch=2'; did you mean --epochs? (try: millrace train --help)",
        "train",
        "--epoch=2");
    failsWith(
        2,
        "millrace: Invalid value for option '--epochs': 'x' is not an int"
            + " (try: millrace train --help)",
        "train",
        "--epochs=x");
    failsWith(
        2,
        "millrace: Unmatched argument at index 0: 'tran'; did you mean train?"
            + " (try: millrace --help)",
        "tran");
    failsWith(2, "millrace: Missing required subcommand (try: millrace --help)");
  }

  @Test
  void aBadSettingIsOneLine() {
    failsWith(
        2,
        "millrace: batch.size: '0' is not a whole number from 1 to 1024"
            + " (try: millrace train --help)",
        "train",
        "--set",
        "batch.size=0");
    failsWith(
        2,
        "millrace: config file nowhere does not exist (try: millrace train --help)",
        "train",
        "--config",
        "nowhere");
  }

  @Test
  void aUsersMistakeIsOneWhereverItWasFound() {
    failure = new CompletionException(new UsageException("port 80\nis taken"));
    failsWith(2, "millrace: port 80 is taken (try: millrace train --help)", "train");
  }

  @Test
  void anyOtherFailureIsOneLineThatNamesTheLog() {
    System.setProperty(CommandLines.LOG_FILE, "data/logs/millrace.log");
    failure = new IOException("cannot start the broker", new NoSuchFileException("data/meta"));
    failsWith(
        1,
        "millrace: cannot start the broker: no such file: data/meta"
            + " (details in data/logs/millrace.log)",
        "train");
  }

  @Test
  void whatIsNotThereAndWhoComesSecondHaveExitCodesOfTheirOwn() {
    failure = new CompletionException(new NotFoundException("there is no domain \"d\""));
    failsWith(3, "millrace: there is no domain \"d\"", "train");
    failure = new ConflictException("nothing changed");
    failsWith(4, "millrace: nothing changed", "train");
    failure = new IOException("cannot read the topic");
    failsWith(5, "millrace: cannot read the topic", "check");
  }

  @Test
  void anErrorIsOneLineToo() {
    failure = new OutOfMemoryError("Java heap space");
    failsWith(1, "millrace: Java heap space", "train");
  }

  private void failsWith(int exitCode, String line, String... arguments) {
    err.getBuffer().setLength(0);
    assertThat(run(arguments)).isEqualTo(exitCode);
    assertThat(err).hasToString(line + System.lineSeparator());
  }

  private int run(String... arguments) {
    CommandLine commandLine =
        new CommandLine(new Top()).addSubcommand(new Train()).addSubcommand(new Check());
    commandLine.setOut(new PrintWriter(out)).setErr(new PrintWriter(err));
    return CommandLines.run(commandLine, arguments);
  }
}
