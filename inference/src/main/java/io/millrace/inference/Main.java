package io.millrace.inference;

import io.millrace.client.process.CommandLines;

/** Entry point of the serving process. */
public final class Main {
  private Main() {}

  public static void main(String[] args) {
    System.exit(CommandLines.run(new ServeCommand(), args));
  }
}
