package io.millrace.client.kafka;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.millrace.schemas.registry.SchemaRegistry;
import io.millrace.schemas.registry.WireFormat;
import io.millrace.testing.ApicurioRegistry;
import io.millrace.testing.Services;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.function.BiFunction;
import org.apache.avro.Schema;
import org.apache.avro.io.Encoder;
import org.apache.avro.io.EncoderFactory;
import org.apache.avro.specific.SpecificDatumWriter;
import org.apache.avro.specific.SpecificRecordBase;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What we write, Confluent's genuine classes read, and the other way round, through a real
 * registry.
 */
@Tag("integration")
@ExtendWith(Services.class)
class ConfluentInteroperabilityTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  static List<SpecificRecordBase> records() {
    return Records.ALL;
  }

  @ParameterizedTest
  @MethodSource("records")
  void confluentReadsWhatWeWrite(SpecificRecordBase record, ApicurioRegistry registry)
      throws Exception {
    String topic = "ours-" + record.getSchema().getName();
    BiFunction<String, byte[], String> confluent =
        GenuineConfluent.load(GenuineConfluent.Reader.class, registry.url());

    byte[] bytes = TestConnection.to(registry).serializer().serialize(topic, record);

    assertThat(JSON.readTree(confluent.apply(topic, bytes))).isEqualTo(JSON.readTree(json(record)));
  }

  @ParameterizedTest
  @MethodSource("records")
  void weReadWhatConfluentWritesAndTheBytesAreTheSame(
      SpecificRecordBase record, ApicurioRegistry registry) throws Exception {
    String topic = "theirs-" + record.getSchema().getName();
    byte[] ours = TestConnection.to(registry).serializer().serialize(topic, record);
    Schema registered =
        new SchemaRegistry(registry.url()).schema(WireFormat.schemaId(ours)).orElseThrow();
    BiFunction<String, String, byte[]> confluent =
        GenuineConfluent.load(GenuineConfluent.Writer.class, registry.url(), registered.toString());

    byte[] theirs = confluent.apply(topic, json(record));

    assertThat(
            TestConnection.to(registry).deserializer(record.getClass()).deserialize(topic, theirs))
        .isEqualTo(record);
    assertThat(theirs).isEqualTo(ours);
  }

  @Test
  void theClassesAreOfTheVersionThatTheBuildProfileBrings() throws Exception {
    String jar = "kafka-avro-serializer-" + System.getProperty("confluent.version") + ".jar";
    assertThat(GenuineConfluent.jars()).anyMatch(url -> url.getPath().endsWith("/" + jar));
  }

  private static String json(SpecificRecordBase record) throws Exception {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    Encoder encoder = EncoderFactory.get().jsonEncoder(record.getSchema(), out);
    new SpecificDatumWriter<SpecificRecordBase>(record.getSchema(), record.getSpecificData())
        .write(record, encoder);
    encoder.flush();
    return out.toString(StandardCharsets.UTF_8);
  }
}
