package io.millrace.pipeline.submission;

import io.millrace.client.kafka.Connection;
import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.settings.JobSettings;
import io.millrace.schemas.Topics;
import io.millrace.svft.adapter.PayloadSize;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.ModelFiles;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.stream.Stream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.DescribeConfigsOptions;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.config.TopicConfig;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** How large the records of versions and snapshots may be, and what fits into them. */
public final class RecordLimits {
  private static final Logger LOG = LoggerFactory.getLogger(RecordLimits.class);
  private static final int PATIENCE_MILLIS = 15_000;
  private static final int ROOM_FOR_HEADERS = 64 << 10;

  private RecordLimits() {}

  /**
   * The settings with the limits of the topics, or the user's where those are smaller. If Kafka
   * does not say them, what is set stands.
   */
  public static Settings ofTopics(Settings settings) {
    Map<String, Long> taken =
        taken(new Connection(settings), Topics.ADAPTERS, Topics.TRAINING_SNAPSHOTS);
    Settings known = ofTopic(taken.get(Topics.ADAPTERS), JobSettings.VERSION_BYTES, settings);
    return ofTopic(taken.get(Topics.TRAINING_SNAPSHOTS), JobSettings.SNAPSHOT_BYTES, known);
  }

  private static Settings ofTopic(Long taken, Setting<Long> limit, Settings settings) {
    return taken == null || taken >= settings.get(limit) ? settings : settings.with(limit, taken);
  }

  /** The largest record that each topic takes, by its name; empty where Kafka does not say. */
  private static Map<String, Long> taken(Connection connection, String... topics) {
    List<ConfigResource> resources =
        Stream.of(topics)
            .map(topic -> new ConfigResource(ConfigResource.Type.TOPIC, topic))
            .toList();
    Map<String, Long> taken = new HashMap<>();
    try (Admin admin = Admin.create(connection.properties())) {
      admin
          .describeConfigs(resources, new DescribeConfigsOptions().timeoutMs(PATIENCE_MILLIS))
          .all()
          .get()
          .forEach(
              (topic, config) ->
                  taken.put(
                      topic.name(),
                      Long.valueOf(config.get(TopicConfig.MAX_MESSAGE_BYTES_CONFIG).value())));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (ExecutionException | KafkaException e) {
      LOG.info("Kafka does not say which records its topics take", e);
    }
    return taken;
  }

  /**
   * Checks that a dead letter fits into its topic: one that does not would stop the job.
   *
   * @throws UsageException where it does not
   */
  public static void requireDeadLettersFit(Settings settings) {
    Long taken = taken(new Connection(settings), Topics.DEAD_LETTERS).get(Topics.DEAD_LETTERS);
    long largest = settings.get(JobSettings.RECORD_BYTES) + ROOM_FOR_HEADERS;
    if (taken != null && taken < largest) {
      throw new UsageException(
          "the topic dead-letters takes records of %d bytes, a dead letter may have %d: raise its max.message.bytes, or lower %s"
              .formatted(taken, largest, JobSettings.RECORD_BYTES.key()));
    }
  }

  /**
   * Checks that the versions of each configured method on a base model fit into a record, also with
   * as many labels as the user allows.
   *
   * @param settings as {@link #ofTopics} gives them
   * @throws UsageException where they do not
   */
  public static void requireFit(Settings settings, ModelFiles model) {
    JobSettings.domains(settings).methods().forEach(each -> requireFit(settings, each, model));
  }

  private static void requireFit(Settings settings, AdapterMethod method, ModelFiles model) {
    long limit = settings.get(JobSettings.VERSION_BYTES);
    long bare = PayloadSize.tensorBytes(model.config(), method, 0);
    if (bare > limit) {
      throw new UsageException(
          "%s: a version of %s takes more than %d bytes, a record of the topic adapters holds %d:"
                  .formatted(method.spec(), model.name(), bare, limit)
              + " adapt fewer weights (adapter.weights), or choose another adapter.method");
    }
    int labels = settings.get(JobSettings.LABELS);
    long full = PayloadSize.tensorBytes(model.config(), method, labels);
    if (full > limit && settings.explicit().containsKey(JobSettings.LABELS.key())) {
      long row = PayloadSize.tensorBytes(model.config(), method, 1) - bare;
      throw new UsageException(
          "%s=%d: a version with that many labels takes more than %d bytes, a record of the topic adapters holds %d: fewer than %d fit"
              .formatted(JobSettings.LABELS.key(), labels, full, limit, (limit - bare) / row));
    }
  }
}
