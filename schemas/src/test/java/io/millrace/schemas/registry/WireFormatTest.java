package io.millrace.schemas.registry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.schemas.LabeledExample;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Arrays;
import java.util.Map;
import org.apache.avro.AvroRuntimeException;
import org.apache.avro.Schema;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.EncoderFactory;
import org.apache.avro.specific.SpecificDatumWriter;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class WireFormatTest {
  private static final Schema EXAMPLE = LabeledExample.getClassSchema();

  @Test
  void aRecordComesBackAsItWas() {
    byte[] bytes = WireFormat.encode(0x01020304, example());

    assertThat(bytes).startsWith(0, 1, 2, 3, 4);
    assertThat(WireFormat.schemaId(bytes)).isEqualTo(0x01020304);
    assertThat(WireFormat.decode(bytes, EXAMPLE, LabeledExample.class)).isEqualTo(example());
  }

  @Test
  void fieldsThatTheWriterDidNotKnowGetTheirDefaults() {
    Schema old =
        new Schema.Parser()
            .parse(
                """
                {"type": "record", "name": "LabeledExample", "namespace": "io.millrace.schemas",
                 "fields": [{"name": "label", "type": "string"},
                            {"name": "id", "type": "string"},
                            {"name": "unknownToday", "type": {"type": "array", "items": "long"}},
                            {"name": "text", "type": "string"},
                            {"name": "domain", "type": "string"}]}
                """);
    byte[] bytes = {0, 0, 0, 0, 1, 2, 'l', 2, 'i', 2, 14, 0, 2, 't', 2, 'd'};

    assertThat(WireFormat.decode(bytes, old, LabeledExample.class))
        .isEqualTo(
            LabeledExample.newBuilder()
                .setId("i")
                .setDomain("d")
                .setText("t")
                .setLabel("l")
                .build());
  }

  @Test
  void blocksThatCarryTheirSizeAreRead() throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.write(new byte[5]);
    BinaryEncoder encoder = new EncoderFactory().blockingBinaryEncoder(out, null);
    new SpecificDatumWriter<>(LabeledExample.class).write(example(), encoder);
    encoder.flush();

    assertThat(WireFormat.decode(out.toByteArray(), EXAMPLE, LabeledExample.class))
        .isEqualTo(example());
  }

  @Test
  void lengthsBeyondTheInputAreRefusedBeforeAnythingIsAllocated() {
    // Zigzag 2^31 - 1 as the length of the first field, in a record of 20 bytes.
    byte[] length = Arrays.copyOf(new byte[] {0, 0, 0, 0, 1, -2, -1, -1, -1, 15}, 20);
    refused(length, "field id: 2147483647 bytes claimed, 10 bytes left");

    Schema nulls = new Schema.Parser().parse("{\"type\": \"array\", \"items\": \"null\"}");
    byte[] items = {0, 0, 0, 0, 1, -2, -1, -1, -1, -1, -1, -1, 0, 0};
    assertThatThrownBy(() -> WireFormat.decode(items, nulls, LabeledExample.class))
        .isInstanceOf(AvroRuntimeException.class)
        .hasMessageContaining("items claimed");
  }

  @Test
  void everyTruncationAndEveryTrailingByteIsRefused() {
    byte[] bytes = WireFormat.encode(1, example());
    for (int length = 5; length < bytes.length; length++) {
      refused(Arrays.copyOf(bytes, length), "not a readable LabeledExample");
    }
    refused(Arrays.copyOf(bytes, bytes.length + 3), "3 bytes after its end");
  }

  @Test
  void bytesThatAreNotUtf8AreRefused() {
    byte[] bytes = WireFormat.encode(1, example());
    int at = new String(bytes, StandardCharsets.ISO_8859_1).indexOf("surf");
    bytes[at] = (byte) 0xC0;
    refused(bytes, "field text: not UTF-8");
  }

  @Test
  void aRecursiveSchemaCannotExhaustTheStack() {
    Schema endless =
        new Schema.Parser()
            .parse(
                """
                {"type": "record", "name": "LabeledExample", "namespace": "io.millrace.schemas",
                 "fields": [{"name": "next", "type": "LabeledExample"}]}
                """);
    assertThatThrownBy(() -> WireFormat.decode(new byte[5], endless, LabeledExample.class))
        .isInstanceOf(AvroRuntimeException.class)
        .hasMessageContaining("nested deeper than 128 levels");
  }

  @Test
  void aSchemaOfCountlessEmptyFieldsCannotExhaustTime() {
    StringBuilder doubling = new StringBuilder("\"null\"");
    for (int level = 60; level > 0; level--) {
      doubling
          .insert(
              0,
              "{\"type\": \"record\", \"name\": \"R"
                  + level
                  + "\", \"fields\": ["
                  + "{\"name\": \"a\", \"type\": ")
          .append("}, {\"name\": \"b\", \"type\": \"")
          .append(level == 60 ? "null" : "R" + (level + 1))
          .append("\"}]}");
    }
    Schema schema = new Schema.Parser().parse(doubling.toString());
    assertThatThrownBy(() -> WireFormat.decode(new byte[5], schema, LabeledExample.class))
        .isInstanceOf(AvroRuntimeException.class)
        .hasMessageContaining("more empty fields than 0 bytes allow");
  }

  @Test
  void aWriterWithoutARequiredFieldIsRefused() {
    Schema other =
        new Schema.Parser()
            .parse(
                """
                {"type": "record", "name": "LabeledExample", "namespace": "io.millrace.schemas",
                 "fields": [{"name": "id", "type": "string"}]}
                """);
    assertThatThrownBy(
            () -> WireFormat.decode(new byte[] {0, 0, 0, 0, 1, 0}, other, LabeledExample.class))
        .isInstanceOf(AvroRuntimeException.class)
        .hasMessageContaining("missing required field");
  }

  @Test
  void whatDoesNotBeginWithTheHeaderIsRefused() {
    assertThatThrownBy(() -> WireFormat.schemaId("{\"id\": 1}".getBytes(StandardCharsets.UTF_8)))
        .isInstanceOf(AvroRuntimeException.class)
        .hasMessage("not in Confluent's wire format: the first byte is 123, not 0");
    assertThatThrownBy(() -> WireFormat.schemaId(ByteBuffer.allocate(4).array()))
        .isInstanceOf(AvroRuntimeException.class)
        .hasMessage("not in Confluent's wire format: 4 bytes, fewer than its header");
  }

  private static void refused(byte[] bytes, String message) {
    assertThatThrownBy(() -> WireFormat.decode(bytes, EXAMPLE, LabeledExample.class))
        .isInstanceOf(AvroRuntimeException.class)
        .hasMessageContaining(message);
  }

  private static LabeledExample example() {
    return LabeledExample.newBuilder()
        .setId("7")
        .setDomain("sport")
        .setText("surf's up \u00e9 \ud83c\udf0a")
        .setLabel("noun")
        .setEventTime(Instant.ofEpochMilli(1_700_000_000_123L))
        .setWeight(0.5f)
        .setMetadata(Map.of("source", "test"))
        .build();
  }
}
