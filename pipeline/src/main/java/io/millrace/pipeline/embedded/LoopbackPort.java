package io.millrace.pipeline.embedded;

import io.millrace.client.UsageException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.BindException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;

/** A TCP port of 127.0.0.1 to listen on. */
final class LoopbackPort {
  static final String HOST = "127.0.0.1";

  private LoopbackPort() {}

  /**
   * The requested port, or a free one where 0 is requested. Whoever asks binds it at once: nothing
   * holds it meanwhile.
   *
   * @param service what is to listen there, for the message
   * @param option the command line option that chooses this port, for the message
   * @throws UsageException where something listens there already, or this user may not listen there
   */
  static int claim(int requested, String service, String option) {
    try (ServerSocket socket = new ServerSocket()) {
      socket.bind(new InetSocketAddress(HOST, requested));
      return socket.getLocalPort();
    } catch (BindException e) {
      boolean forbidden = String.valueOf(e.getMessage()).contains("denied");
      throw new UsageException(
          "port %d, for %s, is %s: choose another with %s (0 takes a free one)"
              .formatted(
                  requested,
                  service,
                  forbidden ? "not open to this user" : "already in use",
                  option),
          e);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot listen on " + HOST, e);
    }
  }

  /** As {@link #claim}, for those who can find out themselves which free port they got. */
  static void requireFree(int requested, String service, String option) {
    claim(requested, service, option);
  }
}
