package io.millrace.pipeline.cli;

import io.millrace.client.process.UsageException;
import picocli.CommandLine.Command;

/**
 * Lists {@code serve} in the usage; the serving process has a class path and a main class of its
 * own.
 */
@Command(name = "serve", description = "Answer predictions over HTTP with the newest adapters.")
final class ServeCommand implements Runnable {
  @Override
  public void run() {
    throw new UsageException("serve is a process of its own; start it with bin/millrace serve");
  }
}
