package io.millrace.client.kafka;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.Topics;
import io.millrace.testing.ApicurioRegistry;
import io.millrace.testing.Services;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.EncoderFactory;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Examples that other programs wrote, with schemas of their own in a real registry. */
@Tag("integration")
@ExtendWith(Services.class)
class ForeignExampleTest {
  private static final Instant TIME = Instant.parse("2026-01-31T12:00:00.123Z");

  /** As Flink SQL derives it from a table whose columns may be null. */
  private static final String FLINK =
      """
      {"type": "record", "name": "record", "namespace": "org.apache.flink.avro.generated", "fields": [
        {"name": "domain", "type": ["null", "string"], "default": null},
        {"name": "text", "type": ["null", "string"], "default": null},
        {"name": "label", "type": ["null", "string"], "default": null},
        {"name": "eventTime", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}],
         "default": null},
        {"name": "metadata", "type": ["null", {"type": "map", "values": ["null", "string"]}],
         "default": null},
        {"name": "stars", "type": ["null", "int"], "default": null}]}
      """;

  /** As Kafka Connect's Avro converter names and describes it. */
  private static final String CONNECT =
      """
      {"type": "record", "name": "ConnectDefault", "namespace": "io.confluent.connect.avro", "fields": [
        {"name": "id", "type": "long"},
        {"name": "domain", "type": "string"},
        {"name": "text", "type": ["null", "string"], "default": null},
        {"name": "label", "type": {"type": "string", "connect.version": 1}},
        {"name": "weight", "type": ["null", "double"], "default": null},
        {"name": "eventTime", "type": {"type": "long", "connect.version": 1, "logicalType": "timestamp-millis",
         "connect.name": "org.apache.kafka.connect.data.Timestamp"}}],
       "connect.name": "io.confluent.connect.avro.ConnectDefault"}
      """;

  private Connection connection;
  private ApicurioRegistry registry;

  @BeforeEach
  void connect(ApicurioRegistry registry) {
    this.registry = registry;
    this.connection = TestConnection.to(registry);
  }

  @Test
  void aRowOfFlinkSqlIsAnExample() throws Exception {
    Map<String, Object> row =
        Map.of(
            "domain",
            "reviews",
            "text",
            "Works like new.",
            "label",
            "positive",
            "eventTime",
            TIME.toEpochMilli(),
            "metadata",
            Map.of("shop", "north"),
            "stars",
            5);

    LabeledExample example = read(FLINK, row);

    assertThat(example)
        .isEqualTo(
            LabeledExample.newBuilder()
                .setId("")
                .setDomain("reviews")
                .setText("Works like new.")
                .setLabel("positive")
                .setEventTime(TIME)
                .setMetadata(Map.of("shop", "north"))
                .build());
  }

  @Test
  void aRecordOfKafkaConnectIsAnExample() throws Exception {
    LabeledExample example =
        read(
            CONNECT,
            Map.of(
                "id",
                17L,
                "domain",
                "reviews",
                "text",
                "Works.",
                "label",
                "positive",
                "weight",
                0.5,
                "eventTime",
                TIME.toEpochMilli()));

    assertThat(example.getId()).isEqualTo("17");
    assertThat(example.getWeight()).isEqualTo(0.5f);
    assertThat(example.getEventTime()).isEqualTo(TIME);
    assertThat(example.getMetadata()).isEmpty();
  }

  @Test
  void whatIsNullOrMissingHasAName() {
    assertThatThrownBy(() -> read(FLINK, Map.of("domain", "reviews", "text", "t")))
        .isInstanceOf(UnreadableRecordException.class)
        .hasMessage("field label of a org.apache.flink.avro.generated.record is null");
    String without = FLINK.replace("\"label\"", "\"lable\"");
    assertThatThrownBy(() -> read(without, Map.of("domain", "d", "text", "t", "lable", "l")))
        .isInstanceOf(UnreadableRecordException.class)
        .hasMessage(
            "a org.apache.flink.avro.generated.record has no field label; an example has domain, text"
                + " and label");
    String number = CONNECT.replace("{\"type\": \"string\", \"connect.version\": 1}", "\"int\"");
    assertThatThrownBy(
            () ->
                read(
                    number,
                    Map.of("id", 1L, "domain", "d", "text", "t", "label", 3, "eventTime", 0L)))
        .isInstanceOf(UnreadableRecordException.class)
        .hasMessage(
            "field label of a io.confluent.connect.avro.ConnectDefault is int, not a string");
  }

  @Test
  void inOtherTopicsARecordOfAnotherNameIsNone() throws Exception {
    byte[] bytes = bytes(FLINK, Map.of("domain", "d", "text", "t", "label", "l"));

    assertThatThrownBy(
            () -> connection.deserializer(LabeledExample.class).deserialize("elsewhere", bytes))
        .isInstanceOf(UnreadableRecordException.class)
        .hasMessageContaining("not a record that is read here");
  }

  @ParameterizedTest
  @CsvSource({
    "timestamp-millis, 1769860800123",
    "timestamp-micros, 1769860800123999",
    "timestamp-nanos, 1769860800123999999",
  })
  void aTimeIsReadInItsUnit(String unit, long time) throws Exception {
    for (String schema : new String[] {own(), FLINK}) {
      LabeledExample example = read(schema.replace("timestamp-millis", unit), times(time));

      assertThat(example.getEventTime()).as(schema).isEqualTo(TIME);
    }
  }

  @Test
  void aTimeBefore1970IsReadInItsUnit() throws Exception {
    LabeledExample example = read(own().replace("timestamp-millis", "timestamp-micros"), times(-1));

    assertThat(example.getEventTime()).isEqualTo(Instant.ofEpochMilli(-1));
  }

  @Test
  void aLongWithoutUnitCountsMilliseconds() throws Exception {
    String plain =
        FLINK.replace("{\"type\": \"long\", \"logicalType\": \"timestamp-millis\"}", "\"long\"");

    assertThat(read(plain, times(TIME.toEpochMilli())).getEventTime()).isEqualTo(TIME);
  }

  @ParameterizedTest
  @CsvSource({"local-timestamp-millis", "local-timestamp-micros", "time-micros", "fortnights"})
  void anotherUnitIsRefused(String unit) {
    for (String schema : new String[] {own(), FLINK}) {
      assertThatThrownBy(() -> read(schema.replace("timestamp-millis", unit), times(1)))
          .as(schema)
          .isInstanceOf(UnreadableRecordException.class)
          .hasMessageContaining("field eventTime is of logical type " + unit);
    }
  }

  /** Avro itself takes one unit for the other. */
  @Test
  void noOtherRecordsTimeIsReadInAnotherUnit() throws Exception {
    Schema step = Records.STEP.getSchema();
    Schema micros =
        new Schema.Parser().parse(step.toString().replace("timestamp-millis", "timestamp-micros"));
    byte[] bytes = connection.serializer().serialize("steps", Records.STEP);
    int id = register(micros.toString());
    ByteBuffer.wrap(bytes).putInt(1, id);

    assertThatThrownBy(
            () -> connection.deserializer(Records.STEP.getClass()).deserialize("steps", bytes))
        .isInstanceOf(UnreadableRecordException.class)
        .hasMessageContaining(
            "field finishedAt is of logical type timestamp-micros, not timestamp-millis");
  }

  private static Map<String, Object> times(long time) {
    return Map.of("id", "1", "domain", "d", "text", "t", "label", "l", "eventTime", time);
  }

  private static String own() {
    return LabeledExample.getClassSchema().toString();
  }

  private LabeledExample read(String schema, Map<String, Object> fields) throws Exception {
    return connection
        .deserializer(LabeledExample.class)
        .deserialize(Topics.LABELED_EXAMPLES, bytes(schema, fields));
  }

  private byte[] bytes(String text, Map<String, Object> fields) throws Exception {
    Schema schema = new Schema.Parser().parse(text);
    GenericData.Record record = new GenericData.Record(schema);
    for (Schema.Field field : schema.getFields()) {
      boolean defaults = !fields.containsKey(field.name()) && field.hasDefaultValue();
      record.put(
          field.name(),
          defaults ? GenericData.get().getDefaultValue(field) : fields.get(field.name()));
    }
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.write(0);
    out.write(ByteBuffer.allocate(4).putInt(register(text)).array());
    BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(out, null);
    new GenericDatumWriter<GenericData.Record>(schema, new GenericData()).write(record, encoder);
    encoder.flush();
    return out.toByteArray();
  }

  private int register(String schema) throws Exception {
    ObjectMapper json = new ObjectMapper();
    String body = json.writeValueAsString(Map.of("schema", json.readTree(schema).toString()));
    String subject = "foreign-" + Integer.toHexString(schema.hashCode());
    return json.readTree(registry.send("POST", "/subjects/" + subject + "/versions", body))
        .path("id")
        .asInt();
  }
}
