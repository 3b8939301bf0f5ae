package io.millrace.client.kafka;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Settings;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.serialization.Serializer;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class ConnectionTest {
  /** Keeps what it is configured with. */
  public static final class Recording implements Serializer<Object> {
    private static Map<String, ?> configuration;

    @Override
    public void configure(Map<String, ?> configuration, boolean isKey) {
      Recording.configuration = configuration;
    }

    @Override
    public byte[] serialize(String topic, Object record) {
      return new byte[0];
    }
  }

  @Test
  void everyOtherKafkaSettingGoesToTheClients() {
    Connection connection =
        connection(
            "kafka.bootstrap.servers=k1:9092,k2:9092",
            "kafka.security.protocol=SSL",
            "kafka.value.serializer=x.Y");

    assertThat(connection.properties())
        .isEqualTo(Map.of("bootstrap.servers", "k1:9092,k2:9092", "security.protocol", "SSL"));
  }

  @Test
  void aForeignSerializerGetsTheRegistrysSettings() {
    connection(
            "kafka.value.serializer=" + Recording.class.getName(),
            "schema.registry.url=https://registry",
            "schema.registry.basic.auth.credentials.source=USER_INFO",
            "schema.registry.auto.register.schemas=false")
        .serializer();

    assertThat(Recording.configuration)
        .isEqualTo(
            Map.of(
                "schema.registry.url", "https://registry",
                "schema.registry.basic.auth.credentials.source", "USER_INFO",
                "basic.auth.credentials.source", "USER_INFO",
                "schema.registry.auto.register.schemas", "false",
                "auto.register.schemas", "false",
                "specific.avro.reader", true,
                "avro.use.logical.type.converters", true,
                "avro.remove.java.properties", true));
  }

  @Test
  void aClassThatCannotSerializeIsTheUsersMistake() {
    refused(
        "kafka.value.serializer=io.confluent.Missing",
        "kafka.value.serializer: 'io.confluent.Missing' is not on the class path");
    refused(
        "kafka.value.serializer=java.lang.String",
        "kafka.value.serializer: 'java.lang.String' is no Serializer with a public constructor");
    refused(
        "schema.registry.url=localhost:8081",
        "schema.registry.url: 'localhost:8081' is not an http or https URL");
    refused(
        "schema.registry.url=https://ada:secret@regi stry",
        "schema.registry.url: 'https://regi stry' is not an http or https URL");
  }

  private static void refused(String item, String message) {
    assertThatThrownBy(() -> connection(item).serializer())
        .isInstanceOf(UsageException.class)
        .hasMessage(message);
  }

  private static Connection connection(String... items) {
    return new Connection(Settings.of(Connection.SETTINGS, null, List.of(items)));
  }
}
