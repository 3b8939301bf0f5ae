package io.millrace.client.kafka;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.client.settings.Settings;
import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.TrainingStep;
import io.millrace.schemas.VersionRef;
import io.millrace.testing.ApicurioRegistry;
import io.millrace.testing.Services;
import java.io.IOException;
import java.net.URLClassLoader;
import java.util.Arrays;
import java.util.List;
import org.apache.avro.specific.SpecificRecordBase;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Confluent's classes as the settings name them, beside our Kafka and Avro, behave as ours do. */
@Tag("integration")
@ExtendWith(Services.class)
class ConfluentSettingTest {
  private static final String[] CONFLUENT = {
    "kafka.value.serializer=" + GenuineConfluent.PACKAGE + "KafkaAvroSerializer",
    "kafka.value.deserializer=" + GenuineConfluent.PACKAGE + "KafkaAvroDeserializer"
  };

  private final ClassLoader before = Thread.currentThread().getContextClassLoader();
  private URLClassLoader confluent;

  @BeforeEach
  void putConfluentOnTheClassPath() throws IOException {
    confluent = GenuineConfluent.beside();
    Thread.currentThread().setContextClassLoader(confluent);
  }

  @AfterEach
  void takeItAway() throws IOException {
    Thread.currentThread().setContextClassLoader(before);
    confluent.close();
  }

  static List<SpecificRecordBase> records() {
    return Records.ALL;
  }

  @ParameterizedTest
  @MethodSource("records")
  void recordsTravelInTheSameBytes(SpecificRecordBase record, ApicurioRegistry registry) {
    String topic = "setting-" + record.getSchema().getName();
    Connection theirs = TestConnection.to(registry, CONFLUENT);

    byte[] bytes = theirs.serializer().serialize(topic, record);

    assertThat(bytes).isEqualTo(TestConnection.to(registry).serializer().serialize(topic, record));
    assertThat(theirs.deserializer(record.getClass()).deserialize(topic, bytes)).isEqualTo(record);
    assertThat(theirs.deserializer(record.getClass()).deserialize(topic, null)).isNull();
  }

  @Test
  void aVersionsNumberAndHashAreReadFromItsRecord(ApicurioRegistry registry) {
    Connection theirs = TestConnection.to(registry, CONFLUENT);
    byte[] version = theirs.serializer().serialize("refs", Records.VERSION);
    byte[] step = theirs.serializer().serialize("mixed", Records.STEP);

    assertThat(theirs.versionRefDeserializer().deserialize("refs", version))
        .isEqualTo(new VersionRef(Records.VERSION.getVersion(), Records.VERSION.getSha256()));
    assertThat(theirs.versionRefDeserializer().deserialize("refs", null)).isNull();
    assertThatThrownBy(() -> theirs.versionRefDeserializer().deserialize("mixed", step))
        .isInstanceOf(UnreadableRecordException.class);
  }

  @Test
  void badBytesAreUnreadable(ApicurioRegistry registry) {
    Connection theirs = TestConnection.to(registry, CONFLUENT);
    byte[] bytes = theirs.serializer().serialize("bad", Records.EXAMPLE);
    byte[] unknownId = bytes.clone();
    unknownId[1] = 77;

    for (byte[] bad : List.of(new byte[0], new byte[9], unknownId, Arrays.copyOf(bytes, 20))) {
      assertThatThrownBy(() -> theirs.deserializer(LabeledExample.class).deserialize("bad", bad))
          .isInstanceOf(UnreadableRecordException.class)
          .hasMessageNotContaining("\n");
    }
    assertThatThrownBy(() -> theirs.deserializer(TrainingStep.class).deserialize("bad", bytes))
        .isInstanceOf(UnreadableRecordException.class)
        .hasMessage("a LabeledExample instead of a TrainingStep");
  }

  @Test
  void aRegistryThatIsNotThereIsNoFaultOfTheRecord(ApicurioRegistry registry) {
    byte[] bytes = TestConnection.to(registry).serializer().serialize("down", Records.EXAMPLE);
    String[] nowhere = {CONFLUENT[0], CONFLUENT[1], "schema.registry.url=http://127.0.0.1:1"};
    Connection theirs = new Connection(Settings.of(Connection.SETTINGS, null, List.of(nowhere)));

    assertThatThrownBy(() -> theirs.serializer().serialize("down", Records.EXAMPLE))
        .isInstanceOf(RegistryUnavailableException.class);
    assertThatThrownBy(() -> theirs.deserializer(LabeledExample.class).deserialize("down", bytes))
        .isInstanceOf(RegistryUnavailableException.class)
        .hasMessageContaining("Connection refused");
  }
}
