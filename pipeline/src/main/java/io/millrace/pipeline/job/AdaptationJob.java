package io.millrace.pipeline.job;

import io.millrace.client.kafka.Connection;
import io.millrace.client.settings.Settings;
import io.millrace.operators.adapt.Adaptation;
import io.millrace.operators.evidence.Evidence;
import io.millrace.operators.gate.ExampleRules;
import io.millrace.pipeline.records.LoggedAdapters;
import io.millrace.schemas.OutgoingRecord;
import io.millrace.schemas.ReceivedExample;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.Topics;
import java.time.Duration;
import java.util.Optional;
import java.util.Properties;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.operators.SlotSharingGroup;
import org.apache.flink.api.connector.source.Source;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.sink.TransactionNamingStrategy;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.KafkaSourceBuilder;
import org.apache.flink.connector.kafka.source.KafkaSourceOptions;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;

/**
 * The job: labeled examples in, steps, versions and dead letters out, exactly once; and where its
 * input does not end, decisions on which version serves.
 */
public final class AdaptationJob {
  /** Whether the job ends at what the topic held when it started, or never. */
  public enum Input {
    BOUNDED,
    UNBOUNDED
  }

  /** Kafka's broker refuses longer ones unless told otherwise. */
  private static final int TRANSACTION_TIMEOUT_MILLIS = 15 * 60 * 1000;

  /** A checkpoint that begins then may take ten minutes more. */
  private static final Duration COMMIT_WITHIN = Duration.ofMinutes(4);

  private static final int LARGEST_RECORD_BYTES = 64 * 1024 * 1024;

  private AdaptationJob() {}

  /** Adds the job's operators to an environment. */
  public static void define(
      StreamExecutionEnvironment environment, Settings settings, ExampleRules rules, Input input) {
    Connection connection = new Connection(settings);
    if (settings.get(JobSettings.DEVICE).equals("gpu")) {
      // A slot of unknown size on a task manager with a GPU would take a share of it.
      environment.registerSlotSharingGroup(
          SlotSharingGroup.newBuilder("default").setCpuCores(0.5).setTaskHeapMemoryMB(128).build());
    }
    environment.setParallelism(settings.get(JobSettings.PARALLELISM));
    DataStream<ReceivedExample> received =
        environment
            .fromSource(
                source(settings, connection, input),
                WatermarkStrategy.noWatermarks(),
                Topics.LABELED_EXAMPLES)
            .uid("labeled-examples");
    Adaptation adaptation =
        Adaptation.of(received, rules, JobSettings.adapt(settings), slots(settings));
    adaptation
        .outgoing()
        .map(new CommitDeadline(COMMIT_WITHIN))
        .name("commit in time")
        .uid("commit-deadline")
        .sinkTo(sink(settings, connection))
        .name("publish")
        .uid("publish");
    if (input == Input.UNBOUNDED) {
      decide(environment, settings, connection, adaptation);
    }
  }

  /** A file's examples are over before anybody could be served by what they gave. */
  private static void decide(
      StreamExecutionEnvironment environment,
      Settings settings,
      Connection connection,
      Adaptation adaptation) {
    // Two readers: a transaction that a killed job left open hides what is published after it, and
    // must not hide decisions.
    DataStream<RolloutEvent> log =
        rollouts(environment, settings, connection, false)
            .union(rollouts(environment, settings, connection, true));
    Evidence.of(
            adaptation.evidence(),
            log,
            JobSettings.evidence(settings),
            new LoggedAdapters(connection),
            slots(settings))
        .sinkTo(rolloutSink(connection))
        .name("append to rollouts")
        .uid("append-rollouts");
  }

  private static DataStream<RolloutEvent> rollouts(
      StreamExecutionEnvironment environment,
      Settings settings,
      Connection connection,
      boolean publications) {
    String name = publications ? "publications" : "decisions";
    Properties properties = connection.properties();
    properties.put(
        ConsumerConfig.ISOLATION_LEVEL_CONFIG,
        publications ? "read_committed" : "read_uncommitted");
    KafkaSource<RolloutEvent> source =
        KafkaSource.<RolloutEvent>builder()
            .setProperties(properties)
            .setBootstrapServers(connection.bootstrapServers())
            .setTopics(Topics.ROLLOUTS)
            .setClientIdPrefix(settings.get(JobSettings.GROUP) + "-" + name)
            .setProperty(KafkaSourceOptions.COMMIT_OFFSETS_ON_CHECKPOINT.key(), "false")
            .setStartingOffsets(OffsetsInitializer.earliest())
            .setDeserializer(new RolloutEventReader(connection, publications))
            .build();
    return environment
        .fromSource(source, WatermarkStrategy.noWatermarks(), Topics.ROLLOUTS + ": " + name)
        .uid("rollouts-" + name);
  }

  private static Optional<SlotSharingGroup> slots(Settings settings) {
    if (!settings.get(JobSettings.DEVICE).equals("gpu")) {
      return Optional.empty();
    }
    return Optional.of(
        Adaptation.gpuSlot(
            settings.get(JobSettings.SLOT_CPU_CORES),
            settings.get(JobSettings.SLOT_HEAP_MIB),
            settings.get(JobSettings.SLOT_OFF_HEAP_MIB),
            settings.get(JobSettings.SLOT_MANAGED_MIB)));
  }

  private static Source<ReceivedExample, ?, ?> source(
      Settings settings, Connection connection, Input input) {
    Properties properties = connection.properties();
    properties.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed");
    KafkaSourceBuilder<ReceivedExample> builder =
        KafkaSource.<ReceivedExample>builder()
            .setProperties(properties)
            .setBootstrapServers(connection.bootstrapServers())
            .setTopics(Topics.LABELED_EXAMPLES)
            .setGroupId(settings.get(JobSettings.GROUP))
            .setClientIdPrefix(settings.get(JobSettings.GROUP))
            // Where the job goes on after a stop is in its checkpoints, never in the group's
            // offsets: state and position belong together.
            .setStartingOffsets(
                new BeginningOffsets(settings.get(JobSettings.LOST_EXAMPLES).equals("skip")))
            .setDeserializer(new ReceivedExampleReader(connection));
    if (input == Input.BOUNDED) {
      builder.setBounded(OffsetsInitializer.latest());
    }
    return new ExampleSource<>(builder.build(), connection);
  }

  /** In no transaction: a decision counts as it stands. What comes twice has no effect. */
  private static KafkaSink<OutgoingRecord> rolloutSink(Connection connection) {
    Properties properties = connection.properties();
    properties.put(ProducerConfig.ACKS_CONFIG, "all");
    properties.put(ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, "true");
    return KafkaSink.<OutgoingRecord>builder()
        .setKafkaProducerConfig(properties)
        .setBootstrapServers(connection.bootstrapServers())
        .setDeliveryGuarantee(DeliveryGuarantee.AT_LEAST_ONCE)
        .setRecordSerializer(new OutgoingRecordWriter(connection))
        .build();
  }

  private static KafkaSink<OutgoingRecord> sink(Settings settings, Connection connection) {
    Properties properties = connection.properties();
    properties.put(
        ProducerConfig.TRANSACTION_TIMEOUT_CONFIG, Integer.toString(TRANSACTION_TIMEOUT_MILLIS));
    properties.put(ProducerConfig.MAX_REQUEST_SIZE_CONFIG, Integer.toString(LARGEST_RECORD_BYTES));
    properties.put(
        ProducerConfig.BUFFER_MEMORY_CONFIG,
        Long.toString(32L * 1024 * 1024 + LARGEST_RECORD_BYTES));
    return KafkaSink.<OutgoingRecord>builder()
        .setKafkaProducerConfig(properties)
        .setBootstrapServers(connection.bootstrapServers())
        .setDeliveryGuarantee(DeliveryGuarantee.EXACTLY_ONCE)
        .setTransactionalIdPrefix(settings.get(JobSettings.GROUP))
        // Pooling finds and aborts what a killed predecessor left open, at any parallelism.
        .setTransactionNamingStrategy(TransactionNamingStrategy.POOLING)
        .setRecordSerializer(new OutgoingRecordWriter(connection))
        .build();
  }
}
