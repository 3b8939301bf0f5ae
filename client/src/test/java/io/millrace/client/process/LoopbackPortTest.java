package io.millrace.client.process;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class LoopbackPortTest {
  @Test
  void aFreePortIsFound() {
    int port = LoopbackPort.claim(0, "Kafka", "--kafka-port");

    assertThat(port).isPositive();
    assertThat(LoopbackPort.claim(port, "Kafka", "--kafka-port")).isEqualTo(port);
  }

  @Test
  void noOutgoingConnectionTakesAFreePortBeforeItIsBound() throws IOException {
    Path outgoing = Path.of("/proc/sys/net/ipv4/ip_local_port_range");
    assumeTrue(Files.exists(outgoing));
    int first = Integer.parseInt(Files.readString(outgoing).strip().split("\\s+")[0]);
    assumeTrue(first > 22_000, "the kernel leaves no ports below its own");

    for (int i = 0; i < 100; i++) {
      assertThat(LoopbackPort.free()).isBetween(20_000, first - 1);
    }
  }

  @Test
  void aTakenPortIsTheUsersMistakeHoweverItIsTaken() throws IOException {
    for (String address : new String[] {"127.0.0.1", "0.0.0.0"}) {
      try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getByName(address))) {
        assertThatThrownBy(() -> LoopbackPort.claim(taken.getLocalPort(), "Kafka", "--kafka-port"))
            .isInstanceOf(UsageException.class)
            .hasMessage(
                "port %d, for Kafka, is already in use: choose another with --kafka-port"
                    + " (0 takes a free one)",
                taken.getLocalPort());
      }
    }
  }
}
