package io.millrace.client.process;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.BindException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;

/** A TCP port of 127.0.0.1 to listen on. */
public final class LoopbackPort {
  /** The address that goes with it. */
  public static final String HOST = "127.0.0.1";

  /** Of Linux: the first and the last port that an outgoing connection may get. */
  private static final Path OUTGOING = Path.of("/proc/sys/net/ipv4/ip_local_port_range");

  private static final int FIRST = 20_000;
  private static final int LEAST = 1_000;
  private static final int ATTEMPTS = 100;

  /** Processes that start together begin at different ports. */
  private static final AtomicInteger NEXT =
      new AtomicInteger(ThreadLocalRandom.current().nextInt(Integer.MAX_VALUE));

  private LoopbackPort() {}

  /**
   * The requested port, or a free one where 0 is requested. It is not reserved: the caller has to
   * bind it.
   *
   * @param service what is to listen there, for the message
   * @param option the command line option that chooses this port, for the message
   * @throws UsageException where something listens there already, or this user may not listen there
   */
  public static int claim(int requested, String service, String option) {
    if (requested == 0) {
      return free();
    }
    try {
      return bind(requested);
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

  /**
   * A free port that no outgoing connection takes before it is bound: one of those below the
   * kernel's range for these, if there are any. Calls of one process get different ones.
   */
  public static int free() {
    int count = firstOutgoing() - FIRST;
    for (int i = 0; count >= LEAST && i < ATTEMPTS; i++) {
      try {
        return bind(FIRST + NEXT.getAndUpdate(n -> (n + 1) & Integer.MAX_VALUE) % count);
      } catch (IOException e) {
        // Taken: draw again.
      }
    }
    try {
      return bind(0);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot listen on " + HOST, e);
    }
  }

  private static int bind(int port) throws IOException {
    try (ServerSocket socket = new ServerSocket()) {
      socket.bind(new InetSocketAddress(HOST, port));
      return socket.getLocalPort();
    }
  }

  /** 0 where it is not known. */
  private static int firstOutgoing() {
    try {
      return Integer.parseInt(Files.readString(OUTGOING).strip().split("\\s+")[0]);
    } catch (IOException | NumberFormatException e) {
      return 0;
    }
  }
}
