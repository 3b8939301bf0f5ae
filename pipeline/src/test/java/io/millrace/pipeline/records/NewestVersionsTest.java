package io.millrace.pipeline.records;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.client.kafka.Connection;
import io.millrace.client.kafka.DomainPartition;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.TestStack;
import io.millrace.pipeline.embedded.EmbeddedStack;
import io.millrace.schemas.AdapterVersion;
import io.millrace.testing.ApicurioRegistry;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.Services;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.apache.kafka.common.errors.TimeoutException;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * How the topic {@code adapters} is read for them; {@code LoggedParentsTest} has which they are.
 */
@ExtendWith(Services.class)
@Tag("integration")
@Timeout(60)
class NewestVersionsTest {
  private final List<AdapterVersion> d = TestVersions.chain("d", 3);
  private Settings settings;
  private Connection connection;

  @BeforeEach
  void start(KafkaBroker kafka, ApicurioRegistry registry) throws Exception {
    List<Setting<?>> known =
        Stream.of(EmbeddedStack.SETTINGS, Connection.SETTINGS)
            .<Setting<?>>flatMap(List::stream)
            .toList();
    settings = Settings.of(known, null, List.of());
    connection = new Connection(TestStack.renew(kafka, registry, settings).connect(settings));
  }

  /** What differs at the next attempt: it reads less. */
  @Test
  void anAttemptThatTakesTooLongIsGoneOnFrom() {
    TestVersions.publish(connection, d);
    try (NewestVersions versions = new NewestVersions(connection, 10, Duration.ZERO)) {
      for (int record = 1; record <= d.size(); record++) {
        assertThatThrownBy(() -> versions.of("d"))
            .isInstanceOf(TimeoutException.class)
            .hasMessage(
                "adapters-%d was read up to offset %d in 0 s; the next attempt goes on there",
                DomainPartition.of("d", 4), record);
      }
      assertThat(versions.of("d")).contains(d.get(2));
    }
  }

  @Test
  void afterItWasClosedItConnectsAgain() {
    TestVersions.publish(connection, d.subList(0, 1));
    try (NewestVersions versions = new NewestVersions(connection, 10)) {
      assertThat(versions.of("d")).contains(d.get(0));
      versions.close();
      TestVersions.publish(connection, d.subList(1, 2));

      assertThat(versions.of("d")).contains(d.get(1));
    }
  }

  @Test
  void aTopicThatWasMadeAgainIsReadAnew(KafkaBroker kafka, ApicurioRegistry registry)
      throws Exception {
    TestVersions.publish(connection, d);
    try (NewestVersions versions = new NewestVersions(connection, 10)) {
      assertThat(versions.of("d")).contains(d.get(2));
      versions.close();
      TestStack.renew(kafka, registry, settings);
      TestVersions.publish(connection, TestVersions.chain("e", 1));

      assertThat(versions.of("d")).isEmpty();
      assertThat(versions.of("e")).contains(TestVersions.chain("e", 1).get(0));
    }
  }
}
