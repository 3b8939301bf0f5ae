package io.millrace.inference;

import io.millrace.client.process.CommandLines;
import io.millrace.client.settings.Settings;
import io.millrace.client.settings.SettingsOptions;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code millrace dashboard}. */
@Command(
    name = "millrace dashboard",
    description = "Shows in a browser how each domain is doing, against a running stack.",
    sortOptions = false)
public final class DashboardCommand implements Callable<Integer> {
  @Mixin private final SettingsOptions options = new SettingsOptions(DashboardSettings.ALL);

  @Option(
      names = "--data",
      paramLabel = "DIR",
      description = "Where this process keeps its logs; it keeps nothing else.")
  private Path data = ServingSettings.home().resolve("data").resolve("dashboard");

  @Mixin private final Listening listening = new Listening();

  @Spec private CommandSpec spec;

  /** Entry point of the process. */
  public static void main(String[] args) {
    System.exit(CommandLines.run(new DashboardCommand(), args));
  }

  /** Runs until the process is told to end. */
  @Override
  public Integer call() throws Exception {
    Settings settings = options.load();
    if (listening.port().isPresent()) {
      settings = settings.with(DashboardSettings.PORT, listening.port().getAsInt());
    }
    ProcessFiles.logTo(data.toAbsolutePath().normalize().resolve("logs"));
    listening.forgetPort();

    DashboardProcess process =
        DashboardProcess.start(settings, settings.get(DashboardSettings.PORT));
    CountDownLatch end = new CountDownLatch(1);
    Runtime.getRuntime().addShutdownHook(new Thread(process::close, "shutdown"));
    listening.writePort(process.port());
    if (!SettingsOptions.isQuiet()) {
      PrintWriter out = spec.commandLine().getOut();
      out.println(
          "the page is at "
              + Listening.address(settings.get(DashboardSettings.HOST), process.port())
              + "/");
      out.flush();
    }
    end.await();
    return 0;
  }
}
