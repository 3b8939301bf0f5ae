package io.millrace.schemas.registry;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import org.apache.avro.AvroRuntimeException;
import org.apache.avro.Schema;

/**
 * Validates a datum in Avro's binary encoding without decoding it. Avro's own decoder allocates as
 * much memory as a length field claims, replaces invalid UTF-8 without an error, and ignores
 * trailing bytes. A datum that passes this check causes none of that.
 */
final class DatumCheck {
  /** Far deeper than any of our records. Without a limit a recursive schema exhausts the stack. */
  private static final int MAX_DEPTH = 128;

  private final ByteBuffer in;
  private long itemsLeft;
  private long stepsLeft;
  private String at = "(first)";

  private DatumCheck(ByteBuffer in) {
    this.in = in;
    // Every item takes at least one byte, except empty ones (nulls, records without fields).
    this.itemsLeft = in.remaining();
    // A few lines of schema can describe 2^100 fields that take no bytes.
    this.stepsLeft = 1_000 + (long) MAX_DEPTH * in.remaining();
  }

  /**
   * Checks a datum from its position to its limit; neither moves.
   *
   * @throws AvroRuntimeException where {@code datum} is not exactly one datum of {@code schema}
   */
  static void check(Schema schema, ByteBuffer datum) {
    DatumCheck check = new DatumCheck(datum.slice());
    check.walk(schema, 0);
    if (check.in.hasRemaining()) {
      throw new AvroRuntimeException(check.in.remaining() + " bytes after its end");
    }
  }

  private void walk(Schema schema, int depth) {
    if (depth > MAX_DEPTH) {
      throw new AvroRuntimeException("nested deeper than " + MAX_DEPTH + " levels");
    }
    if (--stepsLeft < 0) {
      throw new AvroRuntimeException("more empty fields than " + in.limit() + " bytes allow");
    }
    switch (schema.getType()) {
      case NULL -> {}
      case BOOLEAN -> skip(1);
      case INT, LONG -> number();
      case FLOAT -> skip(Float.BYTES);
      case DOUBLE -> skip(Double.BYTES);
      case FIXED -> skip(schema.getFixedSize());
      case BYTES -> skip(number());
      case STRING -> text();
      case ENUM -> index(schema.getEnumSymbols().size(), "symbol");
      case UNION -> {
        int branch = index(schema.getTypes().size(), "branch");
        walk(schema.getTypes().get(branch), depth + 1);
      }
      case ARRAY -> blocks(schema.getElementType(), false, depth);
      case MAP -> blocks(schema.getValueType(), true, depth);
      case RECORD -> {
        for (Schema.Field field : schema.getFields()) {
          at = field.name();
          walk(field.schema(), depth + 1);
        }
      }
    }
  }

  private void blocks(Schema item, boolean keyed, int depth) {
    for (long count = number(); count != 0; count = number()) {
      int end = -1;
      if (count < 0) {
        // A block may state its size, for readers that skip it; the size must be correct.
        long size = number();
        require(size >= 0 && size <= in.remaining(), "a block of " + size + " bytes");
        end = in.position() + (int) size;
        count = -count;
      }
      require(count > 0 && count <= itemsLeft, count + " items");
      itemsLeft -= count;
      for (long i = 0; i < count; i++) {
        if (keyed) {
          text();
        }
        walk(item, depth + 1);
      }
      if (end >= 0 && end != in.position()) {
        throw broken("a block's size is not the size of its items");
      }
    }
  }

  private int index(int count, String what) {
    long index = number();
    if (index < 0 || index >= count) {
      throw broken("no " + what + " " + index + " among " + count);
    }
    return (int) index;
  }

  private void text() {
    ByteBuffer bytes = skip(number());
    try {
      StandardCharsets.UTF_8.newDecoder().decode(bytes);
    } catch (CharacterCodingException e) {
      throw broken("not UTF-8");
    }
  }

  /** A zigzag variable-length integer. */
  private long number() {
    long value = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      byte next = skip(1).get();
      value |= (next & 0x7FL) << shift;
      if (next >= 0) {
        return (value >>> 1) ^ -(value & 1);
      }
    }
    throw broken("a number of more than ten bytes");
  }

  private ByteBuffer skip(long length) {
    require(length >= 0 && length <= in.remaining(), length + " bytes");
    ByteBuffer skipped = in.slice(in.position(), (int) length);
    in.position(in.position() + (int) length);
    return skipped;
  }

  private void require(boolean there, String claimed) {
    if (!there) {
      throw broken(claimed + " claimed, " + in.remaining() + " bytes left");
    }
  }

  private AvroRuntimeException broken(String what) {
    return new AvroRuntimeException("field " + at + ": " + what);
  }
}
