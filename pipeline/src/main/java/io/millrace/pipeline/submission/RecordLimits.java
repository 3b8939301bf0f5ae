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
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.Config;
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

  private RecordLimits() {}

  /**
   * The settings with the limits of the topics, where the user has set none. If Kafka does not say
   * them, those of the topics that Millrace makes stand.
   */
  public static Settings ofTopics(Settings settings) {
    Settings known = ofTopic(Topics.ADAPTERS, JobSettings.VERSION_BYTES, settings);
    return ofTopic(Topics.TRAINING_SNAPSHOTS, JobSettings.SNAPSHOT_BYTES, known);
  }

  private static Settings ofTopic(String topic, Setting<Long> limit, Settings settings) {
    if (settings.explicit().containsKey(limit.key())) {
      return settings;
    }
    ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
    try (Admin admin = Admin.create(new Connection(settings).properties())) {
      Map<ConfigResource, Config> configs =
          admin
              .describeConfigs(
                  List.of(resource), new DescribeConfigsOptions().timeoutMs(PATIENCE_MILLIS))
              .all()
              .get();
      long taken =
          Long.parseLong(configs.get(resource).get(TopicConfig.MAX_MESSAGE_BYTES_CONFIG).value());
      return settings.with(limit, Math.min(taken, limit.defaultValue()));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return settings;
    } catch (ExecutionException | KafkaException e) {
      LOG.info("Kafka does not say which records the topic {} takes", topic, e);
      return settings;
    }
  }

  /**
   * Checks that the versions of the configured method on a base model fit into a record, also with
   * as many labels as the user allows.
   *
   * @param settings as {@link #ofTopics} gives them
   * @throws UsageException where they do not
   */
  public static void requireFit(Settings settings, ModelFiles model) {
    AdapterMethod method = JobSettings.method(settings);
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
