package io.millrace.pipeline.cli;

import io.millrace.client.process.UsageException;
import picocli.CommandLine.Command;

/** Stands in the list of commands for the serving process, which has a class path of its own. */
@Command(name = "serve", description = "Answer predictions over HTTP with the newest adapters.")
final class ServeCommand implements Runnable {
  @Override
  public void run() {
    throw new UsageException("serve is a process of its own; start it with bin/millrace serve");
  }
}
