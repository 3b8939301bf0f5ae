package io.millrace.pipeline.embedded;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.client.UsageException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import org.junit.jupiter.api.Test;

class LoopbackPortTest {
  @Test
  void aFreePortIsFound() {
    int port = LoopbackPort.claim(0, "Kafka", "--kafka-port");

    assertThat(port).isPositive();
    assertThat(LoopbackPort.claim(port, "Kafka", "--kafka-port")).isEqualTo(port);
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
