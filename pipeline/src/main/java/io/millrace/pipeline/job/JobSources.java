package io.millrace.pipeline.job;

import io.millrace.client.kafka.Connection;
import io.millrace.client.rollout.RolloutKind;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.job.AdaptationJob.Beginning;
import io.millrace.pipeline.job.AdaptationJob.Input;
import io.millrace.pipeline.settings.JobSettings;
import io.millrace.schemas.EvidenceInput;
import io.millrace.schemas.ReceivedExample;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.Topics;
import java.util.Properties;
import org.apache.flink.api.connector.source.Source;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.KafkaSourceBuilder;
import org.apache.flink.connector.kafka.source.KafkaSourceOptions;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.kafka.clients.consumer.ConsumerConfig;

/** The Kafka sources of the job: which records they read, and from where. */
record JobSources(Settings settings, Connection connection) {

  /** The committed records of {@code labeled-examples}, in offset order within a partition. */
  Source<ReceivedExample, ?, ?> examples(Input input, Beginning beginning) {
    Properties properties = connection.properties();
    properties.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed");
    KafkaSourceBuilder<ReceivedExample> builder =
        KafkaSource.<ReceivedExample>builder()
            .setProperties(properties)
            .setBootstrapServers(connection.bootstrapServers())
            .setTopics(Topics.LABELED_EXAMPLES)
            .setGroupId(settings.get(JobSettings.GROUP))
            .setClientIdPrefix(settings.get(JobSettings.GROUP))
            // The job continues from the offsets in its checkpoints, never from those of the
            // consumer group: state and position belong together.
            .setStartingOffsets(
                new BeginningOffsets(
                    settings.get(JobSettings.LOST_EXAMPLES).equals("skip"),
                    beginning == Beginning.ONCE,
                    connection))
            .setProperty(
                KafkaSourceOptions.PARTITION_DISCOVERY_INTERVAL_MS.key(),
                Long.toString(settings.get(JobSettings.PARTITION_DISCOVERY).toMillis()))
            .setDeserializer(
                new ReceivedExampleReader(
                    connection, Math.toIntExact(settings.get(JobSettings.RECORD_BYTES))));
    if (input == Input.BOUNDED) {
      builder.setBounded(OffsetsInitializer.latest());
    }
    return new ExampleSource<>(builder.build(), connection);
  }

  /** All events of one kind in {@code rollouts}, from the beginning of the topic. */
  Source<RolloutEvent, ?, ?> rollouts(RolloutKind kind) {
    Properties properties = connection.properties();
    properties.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, kind.isolation());
    return KafkaSource.<RolloutEvent>builder()
        .setProperties(properties)
        .setBootstrapServers(connection.bootstrapServers())
        .setTopics(Topics.ROLLOUTS)
        .setClientIdPrefix(settings.get(JobSettings.GROUP) + "-" + kind.id())
        .setProperty(KafkaSourceOptions.COMMIT_OFFSETS_ON_CHECKPOINT.key(), "false")
        .setStartingOffsets(OffsetsInitializer.earliest())
        .setDeserializer(new RolloutEventReader(connection, kind))
        .build();
  }

  /** Where every version stands in {@code adapters}, from the beginning of the topic. */
  Source<EvidenceInput, ?, ?> versionPlaces() {
    Properties properties = connection.properties();
    properties.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed");
    return KafkaSource.<EvidenceInput>builder()
        .setProperties(properties)
        .setBootstrapServers(connection.bootstrapServers())
        .setTopics(Topics.ADAPTERS)
        .setClientIdPrefix(settings.get(JobSettings.GROUP) + "-adapters")
        .setProperty(KafkaSourceOptions.COMMIT_OFFSETS_ON_CHECKPOINT.key(), "false")
        .setStartingOffsets(OffsetsInitializer.earliest())
        .setDeserializer(new VersionPlaceReader(connection))
        .build();
  }
}
