package io.millrace.pipeline.submission;

import io.millrace.client.kafka.Connection;
import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.settings.JobSettings;
import io.millrace.schemas.Topics;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.DescribeConfigsOptions;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.config.TopicConfig;
import org.apache.kafka.common.record.TimestampType;

/**
 * Checks whose clock stamps the records of {@code labeled-examples}. Batches close by these times,
 * so they must not run backwards within a partition: a domain's batch would be cut short by another
 * domain's record. The broker's clock guarantees that; the clocks of several producers do not.
 */
public final class ExampleTimestamps {
  private static final int PATIENCE_MILLIS = 15_000;

  private ExampleTimestamps() {}

  /**
   * Asks the brokers, unless it does not matter: where no domain has a {@link
   * JobSettings#BATCH_TIMEOUT}, or with {@link JobSettings#ALLOW_CREATE_TIME}.
   *
   * @return a warning if the brokers do not answer
   * @throws UsageException where the producers' clocks stamp the records
   */
  public static Optional<String> check(Settings settings) throws InterruptedException {
    boolean closedByTime =
        JobSettings.domains(settings).all().stream()
            .anyMatch(each -> !each.batchTimeout().isZero());
    if (!closedByTime || settings.get(JobSettings.ALLOW_CREATE_TIME)) {
      return Optional.empty();
    }
    Connection connection = new Connection(settings);
    try (Admin admin = Admin.create(connection.properties())) {
      if (type(admin).equals(TimestampType.CREATE_TIME.name)) {
        throw new UsageException(
            ("topic %s has %s=%s: where its producers' times run backwards, batches close too"
                    + " early; change it with kafka-configs.sh --bootstrap-server %s --alter"
                    + " --entity-type topics --entity-name %1$s --add-config %2$s=%s, or take it as"
                    + " it is with %s=true")
                .formatted(
                    Topics.LABELED_EXAMPLES,
                    TopicConfig.MESSAGE_TIMESTAMP_TYPE_CONFIG,
                    TimestampType.CREATE_TIME.name,
                    connection.bootstrapServers(),
                    TimestampType.LOG_APPEND_TIME.name,
                    JobSettings.ALLOW_CREATE_TIME.key()));
      }
      return Optional.empty();
    } catch (ExecutionException e) {
      return Optional.of(warning(e.getCause()));
    } catch (KafkaException e) {
      return Optional.of(warning(e));
    }
  }

  private static String type(Admin admin) throws ExecutionException, InterruptedException {
    ConfigResource topic = new ConfigResource(ConfigResource.Type.TOPIC, Topics.LABELED_EXAMPLES);
    return admin
        .describeConfigs(List.of(topic), new DescribeConfigsOptions().timeoutMs(PATIENCE_MILLIS))
        .all()
        .get()
        .get(topic)
        .get(TopicConfig.MESSAGE_TIMESTAMP_TYPE_CONFIG)
        .value();
  }

  private static String warning(Throwable reason) {
    return "Warning: Kafka does not say whether %s of topic %s is %s, as it must be: %s"
        .formatted(
            TopicConfig.MESSAGE_TIMESTAMP_TYPE_CONFIG,
            Topics.LABELED_EXAMPLES,
            TimestampType.LOG_APPEND_TIME.name,
            reason.getMessage());
  }
}
