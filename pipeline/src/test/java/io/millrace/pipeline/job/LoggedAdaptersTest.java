package io.millrace.pipeline.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.client.kafka.Connection;
import io.millrace.client.kafka.DomainPartition;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.TestStack;
import io.millrace.pipeline.embedded.EmbeddedStack;
import io.millrace.pipeline.records.TestVersions;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.Topics;
import io.millrace.testing.ApicurioRegistry;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.Services;
import java.io.IOException;
import java.util.List;
import java.util.stream.Stream;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serializer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(Services.class)
@Tag("integration")
@Timeout(60)
class LoggedAdaptersTest {
  private final List<AdapterVersion> chain = TestVersions.chain("d", 3);
  private Settings settings;

  @BeforeEach
  void start(KafkaBroker kafka, ApicurioRegistry registry) throws Exception {
    List<Setting<?>> known =
        Stream.of(EmbeddedStack.SETTINGS, Connection.SETTINGS)
            .<Setting<?>>flatMap(List::stream)
            .toList();
    Settings set = Settings.of(known, null, List.of());
    settings = TestStack.renew(kafka, registry, set).connect(set);
  }

  @Test
  void versionsAreFoundInWhateverOrderTheyAreAskedFor() throws Exception {
    publish(chain.get(0));
    publish(TestVersions.chain("e", 1).get(0));
    publish(chain.get(1));

    try (LoggedAdapters adapters = new LoggedAdapters(new Connection(settings))) {
      assertThat(adapters.find("d", 2)).contains(chain.get(1));
      assertThat(adapters.find("d", 3)).isEmpty();
      publish(chain.get(2));
      assertThat(adapters.find("d", 3)).contains(chain.get(2));
      assertThat(adapters.find("d", 1)).contains(chain.get(0));
      assertThat(adapters.find("nobody", 1)).isEmpty();

      prune(2);
      assertThat(adapters.find("d", 2)).isEmpty();
    }
  }

  @Test
  void whereKafkaIsAwayItCanBeAskedAgain() {
    Settings nowhere =
        Settings.of(
            List.copyOf(Connection.SETTINGS),
            null,
            List.of(
                "kafka.bootstrap.servers=127.0.0.1:9",
                "kafka." + ConsumerConfig.DEFAULT_API_TIMEOUT_MS_CONFIG + "=500"));

    assertThatThrownBy(() -> new LoggedAdapters(new Connection(nowhere)).find("d", 1))
        .isInstanceOf(IOException.class)
        .hasMessageStartingWith("cannot read the topic adapters at 127.0.0.1:9");
  }

  private void publish(AdapterVersion version) throws Exception {
    Connection connection = new Connection(settings);
    try (Serializer<Object> serializer = connection.serializer()) {
      send(
          version.getDomain(),
          version.getVersion(),
          serializer.serialize(Topics.ADAPTERS, version));
    }
  }

  private void prune(long version) throws Exception {
    send("d", version, null);
  }

  private void send(String domain, long version, byte[] value) throws Exception {
    try (KafkaProducer<byte[], byte[]> producer =
        new KafkaProducer<>(
            new Connection(settings).properties(),
            new ByteArraySerializer(),
            new ByteArraySerializer())) {
      int partitions = producer.partitionsFor(Topics.ADAPTERS).size();
      int partition = DomainPartition.of(domain, partitions);
      byte[] key = Topics.adapterKey(domain, version);
      producer.send(new ProducerRecord<>(Topics.ADAPTERS, partition, key, value)).get();
    }
  }
}
