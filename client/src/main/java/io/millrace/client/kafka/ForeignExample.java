package io.millrace.client.kafka;

import io.millrace.schemas.LabeledExample;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericEnumSymbol;
import org.apache.avro.generic.GenericRecord;

/**
 * Reads an example from a record of another name or namespace, as Flink SQL and Kafka Connect write
 * it, by the names of its fields:
 *
 * <ul>
 *   <li>{@code domain}, {@code text}, {@code label}: strings, or unions with null that are none
 *   <li>{@code id}: a string or a whole number; missing or null stands for an empty one
 *   <li>{@code eventTime}: a long, which counts milliseconds unless its logical type says micro- or
 *       nanoseconds; missing or null stands for none. A time without a zone is refused
 *   <li>{@code weight}: a number; missing or null stands for 1
 *   <li>{@code metadata}: a map of strings; entries that are null are left out
 * </ul>
 *
 * <p>Other fields are passed over, as Avro does.
 */
final class ForeignExample {
  private static final String EVENT_TIME = "eventTime";

  private final GenericRecord record;

  private ForeignExample(GenericRecord record) {
    this.record = record;
  }

  /**
   * @throws UnreadableRecordException where a field is missing, null or of another type
   */
  static LabeledExample read(GenericRecord record) {
    ForeignExample foreign = new ForeignExample(record);
    LabeledExample example = new LabeledExample();
    example.setDomain(foreign.required("domain"));
    example.setText(foreign.required("text"));
    example.setLabel(foreign.required("label"));
    example.setId(foreign.id());
    example.setEventTime(foreign.eventTime());
    example.setWeight(foreign.weight());
    example.setMetadata(foreign.metadata());
    return example;
  }

  private Object value(String field) {
    return record.hasField(field) ? record.get(field) : null;
  }

  private String required(String field) {
    if (!record.hasField(field)) {
      throw new UnreadableRecordException(
          "a %s has no field %s; an example has domain, text and label"
              .formatted(record.getSchema().getFullName(), field));
    }
    Object value = record.get(field);
    if (value instanceof CharSequence || value instanceof GenericEnumSymbol<?>) {
      return value.toString();
    }
    throw other(field, value, "a string");
  }

  private String id() {
    Object value = value("id");
    if (value == null) {
      return "";
    }
    if (value instanceof CharSequence || value instanceof Integer || value instanceof Long) {
      return value.toString();
    }
    throw other("id", value, "a string or a whole number");
  }

  private float weight() {
    Object value = value("weight");
    if (value == null) {
      return 1;
    }
    if (value instanceof Number number) {
      return number.floatValue();
    }
    throw other("weight", value, "a number");
  }

  private Map<String, String> metadata() {
    Map<String, String> metadata = new LinkedHashMap<>();
    Object value = value("metadata");
    if (value == null) {
      return metadata;
    }
    if (!(value instanceof Map<?, ?> map)) {
      throw other("metadata", value, "a map of strings");
    }
    for (Map.Entry<?, ?> entry : map.entrySet()) {
      if (entry.getValue() instanceof CharSequence text) {
        metadata.put(entry.getKey().toString(), text.toString());
      } else if (entry.getValue() != null) {
        throw other("metadata", entry.getValue(), "a map of strings");
      }
    }
    return metadata;
  }

  private Instant eventTime() {
    Object value = value(EVENT_TIME);
    if (value == null) {
      return null;
    }
    if (!(value instanceof Long time)) {
      throw other(EVENT_TIME, value, "a long with the logical type timestamp-millis");
    }
    Schema field = record.getSchema().getField(EVENT_TIME).schema();
    Schema branch = field.isUnion() ? field.getTypes().get(index(field, value)) : field;
    String unit = branch.getProp("logicalType");
    return switch (unit == null ? "timestamp-millis" : unit) {
      case "timestamp-millis" -> Instant.ofEpochMilli(time);
      case "timestamp-micros" -> Instant.ofEpochMilli(Math.floorDiv(time, 1_000L));
      case "timestamp-nanos" -> Instant.ofEpochMilli(Math.floorDiv(time, 1_000_000L));
      default ->
          throw new UnreadableRecordException(
              "field eventTime is of logical type %s; an example's time is timestamp-millis, -micros or -nanos"
                  .formatted(unit));
    };
  }

  private static int index(Schema union, Object value) {
    return GenericData.get().resolveUnion(union, value);
  }

  private UnreadableRecordException other(String field, Object value, String expected) {
    Schema schema = record.getSchema().getField(field).schema();
    List<Schema> types = schema.isUnion() ? schema.getTypes() : List.of(schema);
    String type =
        types.stream().map(each -> each.getType().getName()).collect(Collectors.joining(" or "));
    return new UnreadableRecordException(
        value == null
            ? "field %s of a %s is null".formatted(field, record.getSchema().getFullName())
            : "field %s of a %s is %s, not %s"
                .formatted(field, record.getSchema().getFullName(), type, expected));
  }
}
