package io.millrace.pipeline.records;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.client.kafka.Connection;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.TestStack;
import io.millrace.pipeline.embedded.EmbeddedStack;
import io.millrace.schemas.rollout.RolloutDecisions;
import io.millrace.schemas.rollout.RolloutHistory;
import io.millrace.testing.ApicurioRegistry;
import io.millrace.testing.Await;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.Services;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** What commands leave for each other of what they have read of rollouts. */
@ExtendWith(Services.class)
@Tag("integration")
class RolloutCacheTest {
  @TempDir Path directory;
  private Connection connection;

  @BeforeEach
  void publish(KafkaBroker kafka, ApicurioRegistry registry) throws Exception {
    List<Setting<?>> all =
        Stream.of(EmbeddedStack.SETTINGS, Connection.SETTINGS)
            .<Setting<?>>flatMap(List::stream)
            .toList();
    Settings defaults = Settings.of(all, null, List.of());
    connection = new Connection(TestStack.renew(kafka, registry, defaults).connect(defaults));
    try (TestJob job = new TestJob(connection, "job")) {
      TestVersions.chain("mail", 5).forEach(job::publish);
    }
  }

  @Test
  void theNextCommandReadsOnFromWhereTheLastOneWas() throws Exception {
    RolloutHistory first = read(5);
    assertThat(first.now().newest().getVersion()).isEqualTo(5);
    assertThat(first.entries()).isEqualTo(read(0).entries());

    try (DomainRollout rollout = DomainRollout.open(connection, "mail", directory)) {
      RolloutDecisions decisions = rollout.decisions("ann", "");
      rollout.append(decisions.pin(2L));
    }

    // The decision came back within the command, which has left it.
    RolloutHistory later = read(0);
    assertThat(later.entries()).hasSize(6);
    assertThat(later.now().stable().orElseThrow().getVersion()).isEqualTo(2);
    assertThat(later.entries()).isEqualTo(fromKafkaAlone().entries());
  }

  @Test
  void aPublicationWhoseTransactionWasOpenThenIsReadOnceItHasCommitted() throws Exception {
    read(5);
    try (TestJob killed = new TestJob(connection, "killed")) {
      killed.begin(TestVersions.chain("mail", 6).get(5));
      try (DomainRollout rollout = DomainRollout.open(connection, "mail", directory)) {
        rollout.append(rollout.decisions("ann", "").pin(2L));
      }
      assertThat(read(0).entries()).hasSize(6);
      killed.end(true);
    }

    Await.until("it is read", () -> read(0).entries().size() == 7);
    assertThat(read(0).entries()).isEqualTo(fromKafkaAlone().entries());
  }

  @Test
  void aDamagedFileIsAsGoodAsNone() throws Exception {
    RolloutHistory whole = read(5);
    byte[] kept = Files.readAllBytes(file());

    for (int at = 0; at < kept.length; at += 1 + kept.length / 7) {
      byte[] damaged = kept.clone();
      damaged[at] ^= 0x40;
      Files.write(file(), damaged);
      assertThat(read(5).entries()).isEqualTo(whole.entries());
    }
    Files.write(file(), Arrays.copyOf(kept, kept.length - 20));
    assertThat(read(5).entries()).isEqualTo(whole.entries());
    assertThat(read(0).entries()).isEqualTo(whole.entries());
  }

  @Test
  void aTopicThatWasMadeAgainIsAnotherOne(KafkaBroker kafka, ApicurioRegistry registry)
      throws Exception {
    read(5);

    publish(kafka, registry);

    assertThat(read(5).entries()).hasSize(5);
    try (Stream<Path> files = Files.list(directory)) {
      assertThat(files).hasSize(2);
    }
  }

  private RolloutHistory read(long fetched) {
    try (RolloutLog log = RolloutLog.cached(connection, "mail", directory)) {
      log.readOn();
      assertThat(log.fetched()).isEqualTo(fetched);
      assertThat(log.unreadable()).isEmpty();
      return log.history("mail");
    }
  }

  private RolloutHistory fromKafkaAlone() {
    try (RolloutLog log = new RolloutLog(connection, "mail")) {
      log.readOn();
      return log.history("mail");
    }
  }

  private Path file() throws Exception {
    try (Stream<Path> files = Files.list(directory)) {
      return files.findFirst().orElseThrow();
    }
  }
}
