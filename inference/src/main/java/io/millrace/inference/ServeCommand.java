package io.millrace.inference;

import io.millrace.client.process.CommandLines;
import io.millrace.client.settings.Settings;
import io.millrace.client.settings.SettingsOptions;
import io.millrace.inference.serving.BackgroundThreads;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code millrace serve}. */
@Command(
    name = "millrace serve",
    description = "Serves predictions over HTTP with the newest adapters.",
    sortOptions = false)
public final class ServeCommand implements Callable<Integer> {
  @Mixin private final SettingsOptions options = new SettingsOptions(ServingSettings.ALL);

  @Option(
      names = "--data",
      paramLabel = "DIR",
      description = "Where this process keeps its adapters and logs; one process each.")
  private Path data = ServingSettings.home().resolve("data").resolve("serve");

  @Mixin private final Listening listening = new Listening();

  @Spec private CommandSpec spec;

  /** Entry point of the serving process. */
  public static void main(String[] args) {
    System.exit(CommandLines.run(new ServeCommand(), args));
  }

  /** Runs until the process is told to end. */
  @Override
  public Integer call() throws Exception {
    Settings settings = options.load();
    if (listening.port().isPresent()) {
      settings = settings.with(ServingSettings.PORT, listening.port().getAsInt());
    }
    Path directory = data.toAbsolutePath().normalize();
    ProcessFiles.logTo(directory.resolve("logs"));
    listening.forgetPort();

    BackgroundThreads.lowerCompilerPriority();
    ServingProcess process =
        ServingProcess.listen(settings, directory, settings.get(ServingSettings.PORT), this::warn);
    CountDownLatch end = new CountDownLatch(1);
    Runtime.getRuntime().addShutdownHook(new Thread(process::close, "shutdown"));
    listening.writePort(process.port());
    String address = Listening.address(settings.get(ServingSettings.HOST), process.port());
    say("listening on " + address + "; loading the model");
    if (settings.get(ServingSettings.PAGE)) {
      say("the page is at " + address + "/");
    }
    AtomicBoolean preparing = new AtomicBoolean();
    process.load(
        (model, done, total) -> {
          if (preparing.compareAndSet(false, true)) {
            say("preparing the base model " + model + ", once: factorising its weights");
          }
        });
    process.caughtUp().thenRun(() -> say("ready: serving " + process.domains() + " domains"));
    end.await();
    return 0;
  }

  /** What the process has come to, unless the user wants to see no progress. */
  private void say(String line) {
    if (SettingsOptions.isQuiet()) {
      return;
    }
    PrintWriter out = spec.commandLine().getOut();
    out.println(line);
    out.flush();
  }

  private void warn(String line) {
    PrintWriter err = spec.commandLine().getErr();
    err.println("millrace: " + line);
    err.flush();
  }
}
