package io.millrace.client.kafka;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.client.settings.Settings;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.VersionRef;
import io.millrace.schemas.registry.SchemaRefusedException;
import io.millrace.testing.ApicurioRegistry;
import io.millrace.testing.Services;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.apache.avro.specific.SpecificRecordBase;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.Deserializer;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Our serializer and deserializer against a real registry. */
@Tag("integration")
@ExtendWith(Services.class)
class AvroRecordSerializationTest {
  static List<SpecificRecordBase> records() {
    return Records.ALL;
  }

  @ParameterizedTest
  @MethodSource("records")
  void recordsComeBackAsTheyWere(SpecificRecordBase record, ApicurioRegistry registry) {
    Connection connection = TestConnection.to(registry);
    byte[] bytes = connection.serializer().serialize("there-and-back", record);
    Deserializer<?> deserializer = connection.deserializer(record.getClass());
    assertThat(deserializer.deserialize("there-and-back", bytes)).isEqualTo(record);
  }

  @Test
  void aVersionsNumberAndHashAreReadFromItsRecord(ApicurioRegistry registry) {
    Connection connection = TestConnection.to(registry);
    byte[] bytes = connection.serializer().serialize("refs", Records.VERSION);

    assertThat(connection.versionRefDeserializer().deserialize("refs", bytes))
        .isEqualTo(new VersionRef(Records.VERSION.getVersion(), Records.VERSION.getSha256()));
    assertThat(connection.versionRefDeserializer().deserialize("refs", null)).isNull();
    byte[] step = connection.serializer().serialize("mixed", Records.STEP);
    assertThatThrownBy(() -> connection.versionRefDeserializer().deserialize("mixed", step))
        .isInstanceOf(UnreadableRecordException.class);
  }

  @Test
  void aTombstoneStaysOne(ApicurioRegistry registry) {
    Connection connection = TestConnection.to(registry);
    assertThat(connection.serializer().serialize("t", null)).isNull();
    assertThat(connection.deserializer(AdapterVersion.class).deserialize("t", null)).isNull();
  }

  @Test
  void whatIsNoRecordOfOursIsUnreadable(ApicurioRegistry registry) throws Exception {
    registry.send(
        "POST",
        "/subjects/foreign-value/versions",
        "{\"schema\": \"{\\\"type\\\": \\\"string\\\"}\"}");
    Connection connection = TestConnection.to(registry);
    byte[] step = connection.serializer().serialize("mixed", Records.STEP);

    unreadable(connection, step, "a TrainingStep instead of a LabeledExample");
    unreadable(
        connection, new byte[] {0, 0, 0, 0, 99, 1}, "the schema registry knows no schema 99");
    unreadable(connection, "{}".getBytes(StandardCharsets.UTF_8), "not in Confluent's wire format");
    unreadable(connection, new byte[0], "not in Confluent's wire format: 0 bytes");
  }

  @Test
  void aSchemaThatTheSubjectCannotTakeIsRefused(ApicurioRegistry registry) throws Exception {
    registry.send(
        "POST",
        "/subjects/incompatible-value/versions",
        """
        {"schema": "{\\"type\\": \\"record\\", \\"name\\": \\"LabeledExample\\",
          \\"namespace\\": \\"io.millrace.schemas\\",
          \\"fields\\": [{\\"name\\": \\"id\\", \\"type\\": \\"long\\"}]}"}
        """
            .replace("\n", " "));
    registry.send("PUT", "/config", "{\"compatibility\": \"BACKWARD\"}");
    try {
      assertThatThrownBy(
              () ->
                  TestConnection.to(registry)
                      .serializer()
                      .serialize("incompatible", Records.EXAMPLE))
          .isInstanceOf(SerializationException.class)
          .hasCauseInstanceOf(SchemaRefusedException.class)
          .hasMessageContaining("refuses the schema of io.millrace.schemas.LabeledExample")
          .hasMessageContaining("for subject incompatible-value: ")
          .hasMessageContaining("Incompatible artifact");
      assertThat(TestConnection.to(registry).serializer().serialize("compatible", Records.EXAMPLE))
          .isNotEmpty();
    } finally {
      registry.send("PUT", "/config", "{\"compatibility\": \"NONE\"}");
    }
  }

  @Test
  void aRegistryThatIsNotThereIsNoFaultOfTheRecord(ApicurioRegistry registry) {
    byte[] bytes = TestConnection.to(registry).serializer().serialize("down", Records.EXAMPLE);
    Connection nowhere =
        new Connection(
            Settings.of(
                Connection.SETTINGS, null, List.of("schema.registry.url=http://127.0.0.1:1")));

    assertThatThrownBy(() -> nowhere.serializer().serialize("down", Records.EXAMPLE))
        .isInstanceOf(RegistryUnavailableException.class)
        .hasMessageStartingWith("schema registry http://127.0.0.1:1: ");
    assertThatThrownBy(() -> nowhere.deserializer(LabeledExample.class).deserialize("down", bytes))
        .isInstanceOf(RegistryUnavailableException.class);
  }

  private static void unreadable(Connection connection, byte[] bytes, String message) {
    assertThatThrownBy(() -> connection.deserializer(LabeledExample.class).deserialize("t", bytes))
        .isInstanceOf(UnreadableRecordException.class)
        .hasMessageContaining(message);
  }
}
