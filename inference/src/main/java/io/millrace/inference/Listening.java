package io.millrace.inference;

import java.nio.file.Path;
import java.util.OptionalInt;
import picocli.CommandLine.Option;

/** Where a process listens, and who is told so; a picocli mixin. */
final class Listening {
  @Option(
      names = "--port",
      paramLabel = "PORT",
      description = "Port to listen on; 0 takes any free one.")
  private Integer port;

  @Option(
      names = "--port-file",
      paramLabel = "FILE",
      description = "Written with the port once it listens, for a parent that chose 0.")
  private Path portFile;

  /** The port that was asked for; empty where the settings say it. */
  OptionalInt port() {
    return port == null ? OptionalInt.empty() : OptionalInt.of(port);
  }

  /** Deletes the file of an earlier process: a parent could take its port for this one's. */
  void forgetPort() {
    ProcessFiles.forgetPort(portFile);
  }

  /** Tells the parent the port. */
  void writePort(int listens) {
    ProcessFiles.writePort(portFile, listens);
  }

  /** The address for people. */
  static String address(String host, int port) {
    return "http://" + (host.contains(":") ? "[" + host + "]" : host) + ":" + port;
  }
}
