package io.millrace.schemas.registry;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.apache.avro.AvroRuntimeException;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.avro.specific.SpecificData;
import org.apache.avro.specific.SpecificDatumReader;
import org.apache.avro.specific.SpecificDatumWriter;
import org.apache.avro.specific.SpecificRecord;

/**
 * The Confluent wire format: a zero byte, the id of the schema in the registry (4 bytes,
 * big-endian), then the record in Avro's binary encoding, and nothing after it.
 */
public final class WireFormat {
  private static final byte MAGIC = 0;
  private static final int HEADER = 1 + Integer.BYTES;

  private WireFormat() {}

  /**
   * Encodes {@code record}.
   *
   * @param schemaId the registry's id of the record's schema
   * @throws AvroRuntimeException where the record does not fit its schema, such as a null in a
   *     field that requires a value
   */
  public static byte[] encode(int schemaId, SpecificRecord record) {
    ByteArrayOutputStream out = new ByteArrayOutputStream(about(record));
    out.writeBytes(ByteBuffer.allocate(HEADER).put(MAGIC).putInt(schemaId).array());
    BinaryEncoder encoder = EncoderFactory.get().directBinaryEncoder(out, null);
    try {
      SpecificData data = SpecificData.getForClass(record.getClass());
      new SpecificDatumWriter<SpecificRecord>(record.getSchema(), data).write(record, encoder);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (NullPointerException | ClassCastException e) {
      String name = record.getSchema().getName();
      throw new AvroRuntimeException(name + " cannot be written: " + e.getMessage(), e);
    }
    return out.toByteArray();
  }

  /**
   * About as many bytes as a record takes: a large payload is not to be copied as others follow.
   */
  private static int about(SpecificRecord record) {
    int bytes = 512;
    for (Schema.Field field : record.getSchema().getFields()) {
      if (record.get(field.pos()) instanceof ByteBuffer own) {
        bytes = Math.addExact(bytes, own.remaining());
      }
    }
    return bytes;
  }

  /**
   * The id of the schema that {@code bytes} were written with.
   *
   * @throws AvroRuntimeException where the bytes do not start with the header of the format
   */
  public static int schemaId(byte[] bytes) {
    if (bytes.length < HEADER) {
      throw new AvroRuntimeException(
          "not in Confluent's wire format: " + bytes.length + " bytes, fewer than its header");
    }
    if (bytes[0] != MAGIC) {
      throw new AvroRuntimeException(
          "not in Confluent's wire format: the first byte is " + bytes[0] + ", not 0");
    }
    return ByteBuffer.wrap(bytes).getInt(1);
  }

  /**
   * Decodes what {@link #encode} wrote, also with an older or newer {@code writer} schema. The
   * bytes may come from an untrusted source: memory and time stay within a small multiple of their
   * number.
   *
   * @param writer the schema that {@link #schemaId} names
   * @throws AvroRuntimeException where the bytes are not a valid record of {@code type}
   */
  public static <T extends SpecificRecord> T decode(byte[] bytes, Schema writer, Class<T> type) {
    try {
      DatumCheck.check(writer, ByteBuffer.wrap(bytes, HEADER, bytes.length - HEADER));
      SpecificData data = SpecificData.getForClass(type);
      requireSameUnits(writer, data.getSchema(type));
      return new SpecificDatumReader<T>(writer, data.getSchema(type), data)
          .read(
              null, DecoderFactory.get().binaryDecoder(bytes, HEADER, bytes.length - HEADER, null));
    } catch (RuntimeException | IOException | StackOverflowError e) {
      throw new AvroRuntimeException(
          "not a readable " + type.getSimpleName() + ": " + reason(e), e);
    }
  }

  /**
   * Decodes a record of any schema, as cautiously. Logical types are not applied: a timestamp is a
   * long.
   *
   * @throws AvroRuntimeException where the bytes are not a valid record of the schema
   */
  public static GenericRecord decode(byte[] bytes, Schema writer) {
    try {
      DatumCheck.check(writer, ByteBuffer.wrap(bytes, HEADER, bytes.length - HEADER));
      return new GenericDatumReader<GenericRecord>(writer, writer, new GenericData())
          .read(
              null, DecoderFactory.get().binaryDecoder(bytes, HEADER, bytes.length - HEADER, null));
    } catch (RuntimeException | IOException | StackOverflowError e) {
      throw new AvroRuntimeException(
          "not a readable " + writer.getFullName() + ": " + reason(e), e);
    }
  }

  /**
   * Whether every field that both schemas have counts time in the same unit. Avro's resolution does
   * not look at logical types: it takes microseconds for milliseconds.
   */
  public static boolean hasSameUnits(Schema writer, Schema reader) {
    return otherUnit(writer, reader).isEmpty();
  }

  private static void requireSameUnits(Schema writer, Schema reader) {
    otherUnit(writer, reader)
        .ifPresent(
            field -> {
              throw new AvroRuntimeException(
                  "field %s is of logical type %s, not %s"
                      .formatted(
                          field,
                          unit(writer.getField(field).schema()).orElseThrow(),
                          unit(reader.getField(field).schema()).orElseThrow()));
            });
  }

  /** A field with a logical type that is stated in both schemas and differs. */
  private static Optional<String> otherUnit(Schema writer, Schema reader) {
    for (Schema.Field field : reader.getFields()) {
      Optional<String> expected = unit(field.schema());
      if (expected.isPresent() && writer.getField(field.name()) != null) {
        Optional<String> stated = unit(writer.getField(field.name()).schema());
        if (stated.isPresent() && !stated.equals(expected)) {
          return Optional.of(field.name());
        }
      }
    }
    return Optional.empty();
  }

  private static Optional<String> unit(Schema schema) {
    List<Schema> types = schema.isUnion() ? schema.getTypes() : List.of(schema);
    return types.stream()
        .map(type -> type.getProp("logicalType"))
        .filter(Objects::nonNull)
        .findFirst();
  }

  private static String reason(Throwable e) {
    return e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
  }
}
