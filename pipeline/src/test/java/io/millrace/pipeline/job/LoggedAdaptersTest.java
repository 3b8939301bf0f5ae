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
import io.millrace.schemas.EvidenceInput;
import io.millrace.schemas.Topics;
import io.millrace.schemas.VersionPlace;
import io.millrace.testing.ApicurioRegistry;
import io.millrace.testing.Await;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.Services;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.stream.Stream;
import org.apache.flink.api.common.functions.util.ListCollector;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
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
  void aVersionIsReadAtItsPlace() throws Exception {
    VersionPlace first = publish(chain.get(0));
    publish(TestVersions.chain("e", 1).get(0));
    VersionPlace second = publish(chain.get(1));

    try (LoggedAdapters adapters = new LoggedAdapters(new Connection(settings))) {
      assertThat(adapters.at("d", second)).contains(chain.get(1));
      assertThat(adapters.at("d", first)).contains(chain.get(0));
    }
  }

  @Test
  void whatStandsThereNoMoreIsNoVersion() throws Exception {
    VersionPlace first = publish(chain.get(0));
    VersionPlace second = publish(chain.get(1));
    VersionPlace elsewhere =
        new VersionPlace(2L, second.getSha256(), first.getPartition(), first.getOffset(), 0L);
    try (Admin admin = Admin.create(new Connection(settings).properties());
        LoggedAdapters adapters = new LoggedAdapters(new Connection(settings))) {
      assertThat(adapters.at("d", elsewhere)).isEmpty();
      assertThat(adapters.at("nobody", first)).isEmpty();
      TopicPartition partition = new TopicPartition(Topics.ADAPTERS, first.getPartition());
      admin
          .incrementalAlterConfigs(
              Map.of(
                  new ConfigResource(ConfigResource.Type.TOPIC, Topics.ADAPTERS),
                  List.of(
                      new AlterConfigOp(
                          new ConfigEntry("cleanup.policy", "compact,delete"),
                          AlterConfigOp.OpType.SET))))
          .all()
          .get();
      // The broker applies the new policy a moment later.
      Await.until(
          "the first version is deleted", () -> isDeleted(admin, partition, second.getOffset()));

      assertThat(adapters.at("d", first)).isEmpty();
      assertThat(adapters.at("d", second)).contains(chain.get(1));
    }
  }

  private static boolean isDeleted(Admin admin, TopicPartition partition, long before)
      throws InterruptedException {
    try {
      admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(before))).all().get();
      return true;
    } catch (ExecutionException e) {
      return false;
    }
  }

  /** The places that the job's source gives, of versions and of tombstones. */
  @Test
  void placesAreReadWithoutPayloads() throws Exception {
    VersionPlaceReader reader = new VersionPlaceReader(new Connection(settings));
    reader.open(null);
    List<EvidenceInput> read = new ArrayList<>();
    Collector<EvidenceInput> out = new ListCollector<>(read);
    byte[] key = Topics.adapterKey("d", 7);
    byte[] value;
    try (Serializer<Object> serializer = new Connection(settings).serializer()) {
      value = serializer.serialize(Topics.ADAPTERS, chain.get(1));
    }

    reader.deserialize(new ConsumerRecord<>(Topics.ADAPTERS, 3, 17, key, value), out);
    reader.deserialize(new ConsumerRecord<>(Topics.ADAPTERS, 3, 18, key, null), out);
    reader.deserialize(new ConsumerRecord<>(Topics.ADAPTERS, 3, 19, key, new byte[9]), out);
    reader.deserialize(new ConsumerRecord<>(Topics.ADAPTERS, 3, 20, null, value), out);
    reader.deserialize(new ConsumerRecord<>(Topics.ADAPTERS, 3, 21, new byte[] {1}, value), out);

    long noTime = ConsumerRecord.NO_TIMESTAMP;
    assertThat(read)
        .containsExactly(
            new EvidenceInput("d", new VersionPlace(7L, chain.get(1).getSha256(), 3, 17L, noTime)),
            new EvidenceInput("d", new VersionPlace(7L, null, 3, 18L, noTime)));
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

    assertThatThrownBy(
            () ->
                new LoggedAdapters(new Connection(nowhere))
                    .at("d", new VersionPlace(1L, "", 0, 0L, 0L)))
        .isInstanceOf(IOException.class)
        .hasMessageStartingWith("cannot read the topic adapters at 127.0.0.1:9");
  }

  private VersionPlace publish(AdapterVersion version) throws Exception {
    Connection connection = new Connection(settings);
    try (Serializer<Object> serializer = connection.serializer();
        KafkaProducer<byte[], byte[]> producer =
            new KafkaProducer<>(
                connection.properties(), new ByteArraySerializer(), new ByteArraySerializer())) {
      int partitions = producer.partitionsFor(Topics.ADAPTERS).size();
      RecordMetadata at =
          producer
              .send(
                  new ProducerRecord<>(
                      Topics.ADAPTERS,
                      DomainPartition.of(version.getDomain(), partitions),
                      Topics.adapterKey(version.getDomain(), version.getVersion()),
                      serializer.serialize(Topics.ADAPTERS, version)))
              .get();
      return new VersionPlace(
          version.getVersion(), version.getSha256(), at.partition(), at.offset(), at.timestamp());
    }
  }
}
