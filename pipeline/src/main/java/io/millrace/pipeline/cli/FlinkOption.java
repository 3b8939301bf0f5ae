package io.millrace.pipeline.cli;

import io.millrace.client.process.UsageException;
import picocli.CommandLine.Option;

/** The option that names a Flink session. */
final class FlinkOption {
  @Option(
      names = "--flink",
      paramLabel = "HOST:PORT",
      defaultValue = "127.0.0.1:8082",
      description = "The session's REST interface. Default: ${DEFAULT-VALUE}.")
  private String address;

  String host() {
    int colon = address.lastIndexOf(':');
    return colon < 0 ? address : address.substring(0, colon);
  }

  /**
   * @throws UsageException where the address has none
   */
  int port() {
    try {
      return Integer.parseInt(address.substring(address.lastIndexOf(':') + 1));
    } catch (NumberFormatException e) {
      throw new UsageException("--flink: \"" + address + "\" is not HOST:PORT", e);
    }
  }

  /** As the user wrote it. */
  String address() {
    return address;
  }
}
