package io.millrace.pipeline.cli;

import io.millrace.client.process.CommandLines;
import io.millrace.client.process.ExitCode;
import io.millrace.client.process.Home;
import io.millrace.pipeline.embedded.BrokerFailure;
import io.millrace.schemas.text.ShownText;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** The {@code millrace} command line. */
@Command(
    name = "millrace",
    synopsisSubcommandLabel = "COMMAND",
    description = "Streaming continual adaptation: labeled examples in, versioned adapters out.",
    commandListHeading = "%nCommands:%n",
    footer = {"", "Every command explains itself: millrace COMMAND --help"},
    subcommands = {
      DemoCommand.class,
      TrainCommand.class,
      CompareCommand.class,
      UpCommand.class,
      ProduceCommand.class,
      TopicsCommand.class,
      SubmitCommand.class,
      StopCommand.class,
      ServeCommand.class,
      DashboardCommand.class,
      AdaptersCommand.class,
      RolloutCommand.class,
      ReplayCommand.class,
      MlflowCommand.class,
      CompletionCommand.class
    })
public final class MillraceCommand implements Runnable {
  /** System property with the directory of the logs, or none; {@code bin/millrace} sets it. */
  private static final String LOGS = "millrace.logs";

  private static final String NO_LOGS = "none";

  private CommandSpec spec;

  /** Help ends with the exit codes of all commands. */
  @Spec
  void spec(CommandSpec spec) {
    this.spec = spec;
    Map<String, String> codes = new LinkedHashMap<>();
    ExitCode.meanings().forEach((code, meaning) -> codes.put(String.valueOf(code), meaning));
    spec.usageMessage().exitCodeListHeading("%nExit codes:%n").exitCodeList(codes);
  }

  public static void main(String[] args) {
    // Before anything logs.
    String logs = System.getProperty(LOGS, Home.data().resolve("logs").toString());
    System.setProperty(LOGS, logs);
    String details = "";
    if (!logs.equals(NO_LOGS)) {
      String log = Path.of(logs, "millrace.log").toString();
      System.setProperty(CommandLines.LOG_FILE, log);
      details = " (details in " + log + ")";
    }
    String more = details;
    BrokerFailure.announceTo(line -> System.err.println("millrace: " + ShownText.of(line + more)));
    System.exit(CommandLines.run(new MillraceCommand(), args));
  }

  /** Without a subcommand: prints the usage. */
  @Override
  public void run() {
    spec.commandLine().usage(spec.commandLine().getOut());
  }
}
