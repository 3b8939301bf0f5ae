package io.millrace.pipeline.cli;

import io.millrace.client.process.UsageException;
import picocli.CommandLine.Command;

/** Lists {@code dashboard} in the usage, as {@link ServeCommand} does {@code serve}. */
@Command(
    name = "dashboard",
    description = "Show in a browser how each domain is doing, against a running stack.")
final class DashboardCommand implements Runnable {
  @Override
  public void run() {
    throw new UsageException(
        "dashboard is a process of its own; start it with bin/millrace dashboard");
  }
}
