package io.millrace.pipeline.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.client.kafka.Connection;
import io.millrace.client.kafka.DomainPartition;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.operators.adapt.ParentVersions;
import io.millrace.pipeline.TestStack;
import io.millrace.pipeline.embedded.EmbeddedStack;
import io.millrace.pipeline.records.PrunableVersions;
import io.millrace.pipeline.records.TestVersions;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.Topics;
import io.millrace.svft.method.AdapterException;
import io.millrace.testing.ApicurioRegistry;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.Services;
import java.io.IOException;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/** Which version new domains find in the topic {@code adapters}. */
@ExtendWith(Services.class)
@Tag("integration")
@Timeout(60)
class LoggedParentsTest {
  private final List<AdapterVersion> d = TestVersions.chain("d", 4);
  private Connection connection;
  private ParentVersions parents;

  @BeforeEach
  void start(KafkaBroker kafka, ApicurioRegistry registry) throws Exception {
    List<Setting<?>> known =
        Stream.of(EmbeddedStack.SETTINGS, Connection.SETTINGS)
            .<Setting<?>>flatMap(List::stream)
            .toList();
    Settings set = Settings.of(known, null, List.of());
    connection = new Connection(TestStack.renew(kafka, registry, set).connect(set));
    parents = new LoggedParents(connection, 1000);
  }

  @AfterEach
  void stop() {
    parents.close();
  }

  @Test
  void itIsTheLastOfThoseThatAreCommittedWhenItIsAskedFor() throws Exception {
    TestVersions.publish(connection, d.subList(0, 3));

    assertThat(parents.latest("d")).contains(d.get(2));
    assertThat(parents.latest("nobody")).isEmpty();
    assertThat(parents.latest("aborted")).isEmpty();

    TestVersions.publish(connection, d.subList(3, 4));
    assertThat(parents.latest("d")).contains(d.get(3));
    assertThat(parents.latest("d")).as("from memory").contains(d.get(3));
  }

  /** Of two trainings the later one, though its number is smaller. */
  @Test
  void aDomainThatWasStartedAnewHasTheVersionThatItPublishedLast() throws Exception {
    TestVersions.publish(connection, d.subList(0, 3));
    TestVersions.publish(connection, d.subList(0, 1));

    assertThat(parents.latest("d")).contains(d.get(0));
  }

  @Test
  void whereTheLastIsDeletedItIsTheOneBefore() throws Exception {
    TestVersions.publish(connection, d.subList(0, 3));
    assertThat(parents.latest("d")).contains(d.get(2));
    delete(1L, 3L);
    assertThat(parents.latest("d")).contains(d.get(1));
    delete(2L);

    assertThat(parents.latest("d")).isEmpty();
  }

  @Test
  void ofMoreDomainsThanAreKeptTheLastOnesAreFound() throws Exception {
    TestVersions.publish(connection, d.subList(0, 1));
    TestVersions.publish(connection, TestVersions.chain("e", 1));
    try (ParentVersions one = new LoggedParents(connection, 1)) {
      assertThat(one.latest("d")).contains(d.get(0));
      assertThat(one.latest("e")).contains(TestVersions.chain("e", 1).get(0));
      assertThat(one.latest("d")).isEmpty();
      TestVersions.publish(connection, d.subList(1, 2));

      assertThat(one.latest("d")).contains(d.get(1));
    }
  }

  @Test
  void aRecordThatIsNoVersionIsNone() throws Exception {
    TestVersions.publish(connection, d.subList(0, 1));
    write(Topics.adapterKey("d", 2), new byte[] {0, 1, 2});
    assertThatThrownBy(() -> parents.latest("d"))
        .isInstanceOf(AdapterException.class)
        .hasMessageStartingWith("it cannot be read: ");

    write(
        Topics.adapterKey("d", 3),
        connection.serializer().serialize(Topics.ADAPTERS, TestVersions.chain("e", 1).get(0)));
    assertThatThrownBy(() -> parents.latest("d"))
        .isInstanceOf(AdapterException.class)
        .hasMessageEndingWith("has the key d@3 and holds e@1");

    write(new byte[] {1}, new byte[9]);
    TestVersions.publish(connection, d.subList(3, 4));
    assertThat(parents.latest("d")).contains(d.get(3));
  }

  @Test
  void whereKafkaIsAwayItCanBeAskedAgain() {
    Settings nowhere =
        Settings.of(
            List.copyOf(Connection.SETTINGS),
            null,
            List.of(
                "kafka.bootstrap.servers=127.0.0.1:9",
                "kafka." + ConsumerConfig.REQUEST_TIMEOUT_MS_CONFIG + "=500",
                "kafka." + ConsumerConfig.DEFAULT_API_TIMEOUT_MS_CONFIG + "=500"));
    try (ParentVersions away = new LoggedParents(new Connection(nowhere), 1000)) {
      for (int i = 0; i < 2; i++) {
        assertThatThrownBy(() -> away.latest("d"))
            .isInstanceOf(IOException.class)
            .hasMessageStartingWith("the topic adapters at 127.0.0.1:9 cannot be read: ")
            .hasRootCauseInstanceOf(TimeoutException.class);
      }
    }
  }

  private void delete(Long... numbers) {
    PrunableVersions.read(connection, "d").delete("d", Set.of(numbers));
  }

  private void write(byte[] key, byte[] value) throws Exception {
    try (KafkaProducer<byte[], byte[]> producer =
        new KafkaProducer<>(
            connection.properties(), new ByteArraySerializer(), new ByteArraySerializer())) {
      int partitions = producer.partitionsFor(Topics.ADAPTERS).size();
      producer
          .send(
              new ProducerRecord<>(
                  Topics.ADAPTERS, DomainPartition.of("d", partitions), key, value))
          .get();
    }
  }
}
