package io.millrace.client.process;

import java.io.PrintWriter;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.UnmatchedArgumentException;

/**
 * Runs a picocli command with Millrace's conventions: {@code --help} on every command, {@code help
 * COMMAND} beside commands and {@code --version} on the whole; a user's mistake is one line and
 * exit code 2; any other failure is one line, with its stack trace in the log only, and exit code
 * 1. What commands print passes through {@link ShownOutput}.
 */
public final class CommandLines {
  /** System property with the path of the process's log file, for people to find the details in. */
  public static final String LOG_FILE = "millrace.log.file";

  private static final Logger LOG = LoggerFactory.getLogger(CommandLines.class);

  private CommandLines() {}

  /**
   * Runs {@code command}, an object annotated for picocli. Its name is what the user types, such as
   * {@code millrace} or {@code millrace serve}.
   *
   * @return the exit code
   */
  public static int run(Object command, String... args) {
    CommandLine commandLine;
    try {
      commandLine = new CommandLine(command);
    } catch (Throwable e) {
      // Subcommands are made here, and with them whatever their classes need.
      LOG.error("the command line cannot be made", e);
      return print(
          new ShownOutput(new PrintWriter(System.err, true)),
          Failures.describe(e) + details(),
          ExitCode.FAILED);
    }
    return run(commandLine, args);
  }

  static int run(CommandLine commandLine, String... args) {
    PrintWriter err = new ShownOutput(commandLine.getErr());
    // A thread that dies must not print its stack trace either.
    Thread.setDefaultUncaughtExceptionHandler(
        (thread, failure) -> LOG.error("thread {} died", thread.getName(), failure));
    offerHelp(commandLine);
    offerVersion(commandLine.getCommandSpec());
    commandLine.setExecutionStrategy(parsed -> execute(commandLine, err, parsed));
    commandLine.setParameterExceptionHandler(
        (e, ignored) -> usage(err, message(e), e.getCommandLine()));
    commandLine.setExecutionExceptionHandler((e, command, ignored) -> failed(err, e, command));
    try {
      return commandLine.execute(args);
    } catch (Throwable e) {
      return failed(err, e, commandLine);
    }
  }

  /**
   * Runs the command that was asked for. Help, which is all that a command with subcommands prints,
   * comes with picocli's colors; whatever else is printed is shown.
   */
  private static int execute(CommandLine commandLine, PrintWriter err, ParseResult parsed) {
    ParseResult last = parsed;
    while (last.hasSubcommand()) {
      last = last.subcommand();
    }
    CommandSpec command = last.commandSpec();
    boolean help =
        last.isUsageHelpRequested()
            || !command.subcommands().isEmpty()
            || command.userObject() instanceof HelpCommand;
    if (!help) {
      commandLine.setOut(new ShownOutput(commandLine.getOut()));
      commandLine.setErr(err);
    }
    return new CommandLine.RunLast().execute(parsed);
  }

  private static void offerHelp(CommandLine commandLine) {
    CommandSpec spec = commandLine.getCommandSpec();
    if (!spec.subcommands().isEmpty() && !spec.subcommands().containsKey(HelpCommand.NAME)) {
      spec.addSubcommand(HelpCommand.NAME, new CommandLine(new HelpCommand()));
    }
    if (spec.findOption("--help") == null) {
      spec.addOption(
          OptionSpec.builder("-h", "--help")
              .usageHelp(true)
              .description("Show this help and exit.")
              .build());
    }
    commandLine.getSubcommands().values().forEach(CommandLines::offerHelp);
  }

  /** On what the process runs alone: a version of {@code --version} is elsewhere an adapter's. */
  private static void offerVersion(CommandSpec spec) {
    if (spec.findOption("--version") == null) {
      spec.addOption(
          OptionSpec.builder("-V", "--version")
              .versionHelp(true)
              .description("Show which version this is and exit.")
              .build());
    }
    spec.version("millrace " + BuildVersion.text());
  }

  private static int usage(PrintWriter err, String message, CommandLine command) {
    String name = command.getCommandSpec().qualifiedName();
    return print(err, message + " (try: " + name + " --help)", ExitCode.USAGE);
  }

  private static int failed(PrintWriter err, Throwable failure, CommandLine command) {
    for (Throwable cause : Failures.chain(failure)) {
      if (cause instanceof UsageException) {
        return usage(err, cause.getMessage(), command);
      }
      if (cause instanceof NotFoundException) {
        return print(err, cause.getMessage(), ExitCode.NOT_FOUND);
      }
      if (cause instanceof ConflictException) {
        return print(err, cause.getMessage(), ExitCode.CONFLICT);
      }
    }
    LOG.error("{} failed", command.getCommandSpec().qualifiedName(), failure);
    int exitCode = command.getCommandSpec().exitCodeOnExecutionException();
    return print(err, Failures.describe(failure) + details(), exitCode);
  }

  private static String details() {
    String log = System.getProperty(LOG_FILE);
    return log == null ? "" : " (details in " + log + ")";
  }

  private static int print(PrintWriter err, String message, int exitCode) {
    err.println("millrace: " + message.strip().replaceAll("\\s+", " "));
    err.flush();
    return exitCode;
  }

  private static String message(ParameterException e) {
    if (e instanceof UnmatchedArgumentException unmatched
        && !unmatched.getSuggestions().isEmpty()) {
      return e.getMessage() + "; did you mean " + unmatched.getSuggestions().get(0) + "?";
    }
    return e.getMessage();
  }
}
