package io.millrace.testing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.util.concurrent.ThreadLocalRandom;

/** Ports of 127.0.0.1 for what is to listen there. */
final class FreePort {
  /** Below the kernel's range for outgoing connections, one of which could take the port first. */
  private static final int FIRST = 20_000;

  private static final int END = 32_000;
  private static final int ATTEMPTS = 100;

  private FreePort() {}

  static int find() {
    for (int i = 0; i < ATTEMPTS; i++) {
      int port = ThreadLocalRandom.current().nextInt(FIRST, END);
      try (ServerSocket socket = new ServerSocket()) {
        socket.bind(new InetSocketAddress("127.0.0.1", port));
        return port;
      } catch (IOException e) {
        // Taken: draw again.
      }
    }
    throw new UncheckedIOException(new IOException("no port is free on 127.0.0.1"));
  }
}
