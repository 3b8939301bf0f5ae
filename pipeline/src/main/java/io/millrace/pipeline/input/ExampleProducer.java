package io.millrace.pipeline.input;

import io.millrace.client.kafka.Connection;
import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Settings;
import io.millrace.schemas.Topics;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import java.util.function.Consumer;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.config.ConfigException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.serialization.Serializer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Sends files of examples to Kafka, every line exactly once: its example to {@code
 * labeled-examples}, or the line itself to {@code dead-letters} with what was wrong.
 *
 * <p>Lines travel in transactions, and each transaction also commits how far in the file it
 * reaches, as the offset of a consumer group. Transaction id and group are named after the file's
 * content. So a process that sends the file again, after any end of the process before, first ends
 * the open transaction of that one, then reads the committed progress, and continues from there.
 * Lines of one domain keep their order: they share a partition.
 */
public final class ExampleProducer {
  /** What to do about a file that was sent before. */
  public enum Resume {
    /** Finish it where it was not finished; send it again where it was. */
    IF_INCOMPLETE,
    /** Finish it where it was not finished; otherwise do nothing. */
    NEVER_TWICE
  }

  private static final Logger LOG = LoggerFactory.getLogger(ExampleProducer.class);
  private static final Duration REACHABLE_WITHIN = Duration.ofSeconds(8);

  private final Connection connection;
  private final ExampleLimits limits;

  /**
   * @param settings declare {@link Connection#SETTINGS} and {@link ExampleLimits#SETTINGS}
   */
  public ExampleProducer(Settings settings) {
    this.connection = new Connection(settings);
    this.limits = ExampleLimits.of(settings);
  }

  /**
   * Sends {@code file} to its end.
   *
   * @param progress told what is committed: at the start, and after every transaction; what it
   *     throws ends the sending
   * @return what is committed at the end, what earlier runs had sent included
   * @throws UsageException where a {@code kafka.*} setting cannot be used
   * @throws IllegalStateException where Kafka does not answer, topics are missing, the file changes
   *     meanwhile, or another run takes the file over; nothing is lost or doubled by sending it
   *     again
   */
  public Sent send(ExampleFile file, Resume resume, Consumer<Sent> progress) {
    try (Admin admin = connect()) {
      requireTopics(admin);
      try (Serializer<Object> serializer = connection.serializer();
          FileTransfer transfer =
              new FileTransfer(file, limits, connection.properties(), serializer)) {
        return transfer.run(admin, resume, progress);
      }
    } catch (ConfigException e) {
      throw new UsageException("a kafka.* setting: " + e.getMessage(), e);
    } catch (ExecutionException e) {
      throw new IllegalStateException("Kafka refuses", e.getCause());
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read " + file.name(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while sending " + file.name(), e);
    }
  }

  private Admin connect() {
    Properties properties = connection.properties();
    int millis = (int) REACHABLE_WITHIN.toMillis();
    properties.put(AdminClientConfig.DEFAULT_API_TIMEOUT_MS_CONFIG, millis);
    properties.put(AdminClientConfig.REQUEST_TIMEOUT_MS_CONFIG, millis / 2);
    try {
      return Admin.create(properties);
    } catch (KafkaException e) {
      String reason = e.getCause() == null ? e.getMessage() : e.getCause().getMessage();
      throw new UsageException("Kafka's clients cannot use the kafka.* settings: " + reason, e);
    }
  }

  private void requireTopics(Admin admin) throws ExecutionException, InterruptedException {
    List<String> topics = List.of(Topics.LABELED_EXAMPLES, Topics.DEAD_LETTERS);
    String brokers = connection.bootstrapServers();
    try {
      admin.describeTopics(topics).allTopicNames().get();
    } catch (ExecutionException e) {
      if (e.getCause() instanceof TimeoutException) {
        LOG.error("No answer from {}", brokers, e);
        throw new IllegalStateException(
            ("no Kafka broker answers at %s; is it running, and are kafka.bootstrap.servers and"
                    + " kafka.security.protocol right?")
                .formatted(brokers));
      }
      if (e.getCause() instanceof UnknownTopicOrPartitionException) {
        throw new IllegalStateException(
            "Kafka at %s lacks one of the topics %s".formatted(brokers, topics));
      }
      throw e;
    }
  }
}
