package io.millrace.pipeline.embedded;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.client.process.LoopbackPort;
import io.millrace.testing.Await;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The registry where its start fails, for a moment or for good. */
@Tag("integration")
@Timeout(120)
class RegistryProcessTest {
  private static final Path DISTRIBUTION =
      Path.of(System.getProperty("millrace.home"), "pipeline", "target", "registry");

  @TempDir private Path directory;

  @Test
  void aPortThatIsTakenForAMomentOnlyDelaysTheStart() throws Exception {
    int port = LoopbackPort.free();
    try (RegistryProcess registry = launch(port)) {
      try (ServerSocket other = new ServerSocket()) {
        other.bind(new InetSocketAddress(LoopbackPort.HOST, port));
        Await.until(
            "the registry says that its port is taken",
            Duration.ofSeconds(60),
            () -> Files.readString(log()).contains("Port " + port + " seems to be in use"));
      }
      registry.awaitReady();
      assertThat(registry.url()).contains(":" + port + "/");
    }
  }

  @Test
  void aDamagedDatabaseIsNamedInTheError() throws Exception {
    Files.createDirectories(directory.resolve("data"));
    Files.write(directory.resolve("data").resolve("registry.mv.db"), new byte[16 * 1024]);
    try (RegistryProcess registry = launch(0)) {
      assertThatThrownBy(registry::awaitReady)
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("the schema registry ended with exit code 1 as it started (")
          .hasMessageContaining("corrupt")
          .hasMessageEndingWith("; see " + log());
    }
  }

  private RegistryProcess launch(int port) {
    return RegistryProcess.launch(DISTRIBUTION, directory.resolve("data"), log(), port);
  }

  private Path log() {
    return directory.resolve("registry.log");
  }
}
