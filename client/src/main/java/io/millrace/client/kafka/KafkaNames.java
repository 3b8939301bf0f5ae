package io.millrace.client.kafka;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;

/** The names of settings that Kafka's clients know. */
final class KafkaNames {
  /** What Flink's Kafka source takes from the properties of its consumer. */
  private static final List<String> OF_THE_SOURCE =
      List.of(
          "client.id.prefix",
          "partition.discovery.interval.ms",
          "register.consumer.metrics",
          "commit.offsets.on.checkpoint");

  /** They name classes that may take settings of their own. */
  private static final List<String> PLUGINS =
      List.of(
          "interceptor.classes",
          "metric.reporters",
          "partitioner.class",
          "partition.assignment.strategy",
          "config.providers",
          "security.providers",
          "ssl.engine.factory.class",
          "sasl.client.callback.handler.class",
          "sasl.login.callback.handler.class",
          "sasl.login.class");

  private KafkaNames() {}

  /**
   * @param set what was set, by key
   * @return empty where a plug-in is named, which may know any name
   */
  static Optional<Set<String>> known(Map<String, String> set) {
    if (PLUGINS.stream().anyMatch(plugin -> set.containsKey("kafka." + plugin))) {
      return Optional.empty();
    }
    Set<String> names = new TreeSet<>(OF_THE_SOURCE);
    names.addAll(ProducerConfig.configNames());
    names.addAll(ConsumerConfig.configNames());
    names.addAll(AdminClientConfig.configNames());
    return Optional.of(names);
  }
}
