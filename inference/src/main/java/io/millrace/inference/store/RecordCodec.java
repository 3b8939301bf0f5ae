package io.millrace.inference.store;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.RolloutEvent;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.List;
import org.apache.avro.AvroRuntimeException;
import org.apache.avro.Schema;
import org.apache.avro.SchemaNormalization;
import org.apache.avro.message.BinaryMessageDecoder;
import org.apache.avro.message.BinaryMessageEncoder;

/**
 * What the store holds, as keys and values of its tables. Numbers are big-endian.
 *
 * <pre>
 * table           key                                    value
 * versions        domain's length, 4 bytes; domain,      AdapterVersion, an Avro single object
 *                 UTF-8; version, 8 bytes                with an empty payload
 * payloads        as versions                            a safetensors file
 * refusals        as versions                            JSON: sha256, reason, at (ms)
 * events-KIND     domain's length, 4 bytes; domain,      Kafka's time (ms), 8 bytes; RolloutEvent,
 *                 UTF-8; partition, 4 bytes;             an Avro single object
 *                 offset, 8 bytes
 * rollout-KIND    empty; before layout 3 it held the     as events-KIND
 *                 events: partition, 4 bytes; offset,
 *                 8 bytes
 * offsets and     partition, 4 bytes                     next offset to read, 8 bytes
 *  rollout-KIND-offsets
 * schemas         Avro's 64-bit fingerprint, 8 bytes     the schema's JSON
 * default         topic, topic of KIND                   JSON: clusterId, topicId
 *                 layout                                 number of this layout, in digits
 * </pre>
 *
 * <p>So the versions of a domain lie together, in ascending order, and so do its events. A single
 * object names the schema that it was written with by its fingerprint, and the schema stands in the
 * table of schemas: a later release with a later schema reads it.
 */
final class RecordCodec {
  /** Keys begin with a length or a partition, neither negative, so this stands after all. */
  static final byte[] AFTER_ALL_KEYS = {-1};

  private static final ObjectMapper JSON = new ObjectMapper();

  private final KeyValueStore.Table schemas;
  private final BinaryMessageEncoder<AdapterVersion> versionEncoder = AdapterVersion.getEncoder();
  private final BinaryMessageDecoder<AdapterVersion> versionDecoder;
  private final BinaryMessageEncoder<RolloutEvent> eventEncoder = RolloutEvent.getEncoder();
  private final BinaryMessageDecoder<RolloutEvent> eventDecoder;

  /** Bytes that are no record; the message is Avro's reason. */
  static final class DamagedException extends Exception {
    private static final long serialVersionUID = 1;

    private DamagedException(Exception cause) {
      super(cause.getMessage(), cause);
    }
  }

  /**
   * @param schemas holds the schemas of all records
   */
  RecordCodec(KeyValueStore.Table schemas) {
    this.schemas = schemas;
    this.versionDecoder = AdapterVersion.createDecoder(this::storedSchema);
    this.eventDecoder = RolloutEvent.createDecoder(this::storedSchema);
  }

  private Schema storedSchema(long fingerprint) {
    return schemas
        .get(fingerprintKey(fingerprint))
        .map(json -> new Schema.Parser().parse(new String(json, UTF_8)))
        .orElse(null);
  }

  /** Stores the schemas that this release writes with. */
  void putSchemas(KeyValueStore.Batch batch) {
    for (Schema schema : List.of(AdapterVersion.getClassSchema(), RolloutEvent.getClassSchema())) {
      batch.put(
          schemas,
          fingerprintKey(SchemaNormalization.parsingFingerprint64(schema)),
          schema.toString().getBytes(UTF_8));
    }
  }

  private static byte[] fingerprintKey(long fingerprint) {
    return ByteBuffer.allocate(Long.BYTES).putLong(fingerprint).array();
  }

  /** The key of a version. */
  static byte[] key(String domain, long version) {
    return domainKey(domain, Long.BYTES).putLong(version).array();
  }

  /** What the keys of a domain's versions and events begin with. */
  static byte[] prefix(String domain) {
    return domainKey(domain, 0).array();
  }

  private static ByteBuffer domainKey(String domain, int more) {
    byte[] name = domain.getBytes(UTF_8);
    return ByteBuffer.allocate(Integer.BYTES + name.length + more).putInt(name.length).put(name);
  }

  /** The length of the {@link #prefix} in a key. */
  static int prefixLength(byte[] key) {
    return Integer.BYTES + ByteBuffer.wrap(key).getInt();
  }

  /** The domain in a key of a version or an event. */
  static String domainOf(byte[] key) {
    return new String(key, Integer.BYTES, prefixLength(key) - Integer.BYTES, UTF_8);
  }

  /** The version in the key of a version. */
  static long versionOf(byte[] key) {
    return ByteBuffer.wrap(key).getLong(prefixLength(key));
  }

  /** A version without its tensors. */
  byte[] encode(AdapterVersion version) {
    AdapterVersion withoutTensors =
        AdapterVersion.newBuilder(version).setPayload(ByteBuffer.allocate(0)).build();
    try {
      ByteBuffer encoded = versionEncoder.encode(withoutTensors);
      byte[] bytes = new byte[encoded.remaining()];
      encoded.get(bytes);
      return bytes;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  AdapterVersion decodeVersion(byte[] bytes) throws DamagedException {
    try {
      return versionDecoder.decode(bytes);
    } catch (IOException | AvroRuntimeException e) {
      throw new DamagedException(e);
    }
  }

  /** The key of an event. */
  static byte[] key(LoggedEvent logged) {
    return eventKey(logged.event().getDomain(), logged.place());
  }

  /** The key of a domain's event at a place. */
  static byte[] eventKey(String domain, LogPlace place) {
    return domainKey(domain, Integer.BYTES + Long.BYTES)
        .putInt(place.partition())
        .putLong(place.offset())
        .array();
  }

  byte[] encode(LoggedEvent logged) {
    try {
      ByteBuffer encoded = eventEncoder.encode(logged.event());
      return ByteBuffer.allocate(Long.BYTES + encoded.remaining())
          .putLong(logged.time().toEpochMilli())
          .put(encoded)
          .array();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  LoggedEvent decodeEvent(byte[] key, byte[] value) throws DamagedException {
    int from = prefixLength(key);
    return decodeEvent(ByteBuffer.wrap(key, from, key.length - from), value);
  }

  /** An event as stored before layout 3. */
  LoggedEvent decodeEventOfLayout2(byte[] key, byte[] value) throws DamagedException {
    return decodeEvent(ByteBuffer.wrap(key), value);
  }

  private LoggedEvent decodeEvent(ByteBuffer place, byte[] value) throws DamagedException {
    ByteBuffer content = ByteBuffer.wrap(value);
    Instant time = Instant.ofEpochMilli(content.getLong());
    try {
      return new LoggedEvent(
          place.getInt(), place.getLong(), time, eventDecoder.decode(content.slice()));
    } catch (IOException | AvroRuntimeException e) {
      throw new DamagedException(e);
    }
  }

  static byte[] encode(Refusal refusal) {
    return bytes(
        JSON.createObjectNode()
            .put("sha256", refusal.sha256())
            .put("reason", refusal.reason())
            .put("at", refusal.at().toEpochMilli()));
  }

  static Refusal decodeRefusal(byte[] key, byte[] value) {
    JsonNode node = json(value);
    return new Refusal(
        domainOf(key),
        versionOf(key),
        node.get("sha256").asText(),
        node.get("reason").asText(),
        Instant.ofEpochMilli(node.get("at").asLong()));
  }

  static byte[] encode(TopicIdentity topic) {
    return bytes(
        JSON.createObjectNode()
            .put("clusterId", topic.clusterId())
            .put("topicId", topic.topicId()));
  }

  static TopicIdentity decodeTopic(byte[] value) {
    JsonNode node = json(value);
    return new TopicIdentity(node.get("clusterId").asText(), node.get("topicId").asText());
  }

  /** The key of an offset: its partition. */
  static byte[] key(StreamOffset offset) {
    return ByteBuffer.allocate(Integer.BYTES).putInt(offset.partition()).array();
  }

  static byte[] encode(StreamOffset offset) {
    return ByteBuffer.allocate(Long.BYTES).putLong(offset.next()).array();
  }

  static StreamOffset decodeOffset(byte[] key, byte[] value) {
    return new StreamOffset(ByteBuffer.wrap(key).getInt(), ByteBuffer.wrap(value).getLong());
  }

  private static byte[] bytes(JsonNode node) {
    try {
      return JSON.writeValueAsBytes(node);
    } catch (JsonProcessingException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static JsonNode json(byte[] bytes) {
    try {
      return JSON.readTree(bytes);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
