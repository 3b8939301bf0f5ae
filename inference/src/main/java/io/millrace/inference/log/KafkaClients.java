package io.millrace.inference.log;

import io.millrace.client.kafka.Connection;
import java.time.Duration;
import java.util.Properties;
import org.apache.kafka.clients.CommonClientConfigs;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.CloseOptions;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * The two clients that follow the topic.
 *
 * @param admin asks about it
 * @param consumer reads it, with no group and from nowhere unless told
 */
public record KafkaClients(Admin admin, KafkaConsumer<byte[], byte[]> consumer)
    implements AutoCloseable {
  /**
   * @param isolation the consumer's isolation level
   */
  static KafkaClients open(Connection connection, String isolation) {
    Admin admin = Admin.create(properties(connection));
    try {
      Properties properties = properties(connection);
      properties.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, isolation);
      properties.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false);
      properties.put(ConsumerConfig.ALLOW_AUTO_CREATE_TOPICS_CONFIG, false);
      // Offsets that no longer exist may mean that the topic is another one: the reader decides.
      properties.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "none");
      return new KafkaClients(
          admin,
          new KafkaConsumer<>(
              properties, new ByteArrayDeserializer(), new ByteArrayDeserializer()));
    } catch (RuntimeException e) {
      admin.close(Duration.ZERO);
      throw e;
    }
  }

  private static Properties properties(Connection connection) {
    Properties properties = connection.properties();
    properties.putIfAbsent(CommonClientConfigs.CLIENT_ID_CONFIG, "millrace-serve");
    return properties;
  }

  /** Ends whatever the thread waits for; any thread may call this. */
  void interrupt() {
    admin.close(Duration.ZERO);
    consumer.wakeup();
  }

  /** Waits for no answer: there is nothing to commit. */
  @Override
  public void close() {
    admin.close(Duration.ZERO);
    consumer.close(CloseOptions.timeout(Duration.ZERO));
  }
}
