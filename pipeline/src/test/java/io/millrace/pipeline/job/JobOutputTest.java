package io.millrace.pipeline.job;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.client.kafka.Connection;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.embedded.TopicLayout;
import io.millrace.schemas.Topics;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.Services;
import java.util.List;
import java.util.Properties;
import java.util.stream.Stream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(Services.class)
@Tag("integration")
@Timeout(120)
class JobOutputTest {
  @Test
  void onlyWhatAJobHasCommittedCounts(KafkaBroker kafka) throws Exception {
    List<Setting<?>> known =
        Stream.of(Connection.SETTINGS, List.of(TopicLayout.PARTITIONS))
            .<Setting<?>>flatMap(List::stream)
            .toList();
    Settings settings =
        Settings.of(known, null, List.of("kafka.bootstrap.servers=" + kafka.bootstrapServers()));
    Connection connection = new Connection(settings);
    try (Admin admin = Admin.create(connection.properties())) {
      TopicLayout.create(admin, settings);
    }
    Properties properties = connection.properties();
    properties.put("transactional.id", "writer");
    try (KafkaProducer<byte[], byte[]> producer =
        new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer())) {
      producer.initTransactions();
      assertThat(JobOutput.exists(connection)).isFalse();

      producer.beginTransaction();
      producer.send(new ProducerRecord<>(Topics.TRAINING_STEPS, new byte[1]));
      producer.flush();
      producer.abortTransaction();
      send(producer, Topics.DEAD_LETTER_FILE);
      assertThat(JobOutput.exists(connection)).isFalse();

      send(producer, Topics.DEAD_LETTER_TOPIC);
      assertThat(JobOutput.exists(connection)).isTrue();
    }
  }

  private static void send(KafkaProducer<byte[], byte[]> producer, String header) {
    ProducerRecord<byte[], byte[]> letter = new ProducerRecord<>(Topics.DEAD_LETTERS, new byte[1]);
    letter.headers().add(header, new byte[1]);
    producer.beginTransaction();
    producer.send(letter);
    producer.commitTransaction();
  }
}
