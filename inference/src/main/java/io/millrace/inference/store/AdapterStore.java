package io.millrace.inference.store;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.client.process.UsageException;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.RolloutEvent;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import org.apache.avro.AvroRuntimeException;
import org.apache.avro.Schema;
import org.apache.avro.SchemaNormalization;
import org.apache.avro.message.BinaryMessageDecoder;
import org.apache.avro.message.BinaryMessageEncoder;
import org.rocksdb.ColumnFamilyDescriptor;
import org.rocksdb.ColumnFamilyHandle;
import org.rocksdb.DBOptions;
import org.rocksdb.InfoLogLevel;
import org.rocksdb.RocksDB;
import org.rocksdb.RocksDBException;
import org.rocksdb.RocksIterator;
import org.rocksdb.Status;
import org.rocksdb.WriteBatch;
import org.rocksdb.WriteOptions;

/**
 * Every adapter version and every rollout's event received, in a local RocksDB, beside the offsets
 * of {@code adapters} and {@code rollouts} that were read to get them.
 *
 * <p>What a record changes and the offset after it are one write batch, in the write-ahead log
 * before the call returns: after a kill -9 the store holds exactly the records before its offsets.
 * So a restart goes on where it stopped and never reads the topic again. Decisions are synced to
 * disk besides, with all before them: what people took back must not serve again after a loss of
 * power. Versions are not, since a loss of power costs the last of them and their offsets together,
 * and they are read again.
 *
 * <p>Versions are Avro single objects beside the schema they were written with, so a later release
 * with a later schema reads them. Tensors stand in a column family of their own: listing versions
 * does not read them.
 *
 * <p>One process at a time may have a store open. All methods may be called from any thread; {@link
 * #close} only when no other call is running.
 */
public final class AdapterStore implements AutoCloseable {
  private static final byte[] TOPIC = "topic".getBytes(UTF_8);
  private static final byte[] LAYOUT = "layout".getBytes(UTF_8);

  /** Layout 1 had no rollouts; it becomes this one by having none. */
  private static final byte[] LAYOUT_2 = "2".getBytes(UTF_8);

  private static final byte[] LAYOUT_1 = "1".getBytes(UTF_8);
  private static final byte[] BEFORE_ALL_KEYS = {};

  /** Keys begin with a length or a partition, neither negative, so this stands after all. */
  private static final byte[] AFTER_ALL_KEYS = {-1};

  /** A start replays the write-ahead log; without a bound it would grow to gigabytes. */
  private static final long MAX_LOG_BYTES = 64L << 20;

  private static final ObjectMapper JSON = new ObjectMapper();

  private final Path directory;
  private final RocksDB db;
  private final WriteOptions synced = new WriteOptions().setSync(true);
  private final WriteOptions unsynced = new WriteOptions();
  private final ColumnFamilyHandle meta;
  private final ColumnFamilyHandle versions;
  private final ColumnFamilyHandle payloads;
  private final ColumnFamilyHandle refusals;
  private final ColumnFamilyHandle offsets;
  private final ColumnFamilyHandle schemas;
  private final Map<RolloutKind, ColumnFamilyHandle> rollouts = new EnumMap<>(RolloutKind.class);
  private final Map<RolloutKind, ColumnFamilyHandle> rolloutOffsets =
      new EnumMap<>(RolloutKind.class);
  private final List<ColumnFamilyHandle> families;
  private final BinaryMessageEncoder<AdapterVersion> encoder = AdapterVersion.getEncoder();
  private final BinaryMessageDecoder<AdapterVersion> decoder;
  private final BinaryMessageEncoder<RolloutEvent> eventEncoder = RolloutEvent.getEncoder();
  private final BinaryMessageDecoder<RolloutEvent> eventDecoder;

  /**
   * Opens the store in a directory, which is made where there is none.
   *
   * @throws UsageException where another process has it open, or it is no store this release reads
   */
  public static AdapterStore open(Path directory) {
    RocksDB.loadLibrary();
    try {
      Files.createDirectories(directory);
    } catch (IOException e) {
      throw new UsageException("the adapter store " + directory + " cannot be made: " + e, e);
    }
    List<String> names =
        new ArrayList<>(
            List.of("default", "versions", "payloads", "refusals", "offsets", "schemas"));
    for (RolloutKind kind : RolloutKind.values()) {
      names.add("rollout-" + kind.id());
      names.add("rollout-" + kind.id() + "-offsets");
    }
    List<ColumnFamilyDescriptor> families = new ArrayList<>();
    for (String name : names) {
      families.add(new ColumnFamilyDescriptor(name.getBytes(UTF_8)));
    }
    List<ColumnFamilyHandle> handles = new ArrayList<>();
    try (DBOptions options =
        new DBOptions()
            .setCreateIfMissing(true)
            .setCreateMissingColumnFamilies(true)
            .setMaxTotalWalSize(MAX_LOG_BYTES)
            .setInfoLogLevel(InfoLogLevel.WARN_LEVEL)
            .setKeepLogFileNum(2)) {
      RocksDB db = RocksDB.open(options, directory.toString(), families, handles);
      return new AdapterStore(directory, db, handles);
    } catch (RocksDBException e) {
      if (isLocked(e)) {
        throw new UsageException(
            "the adapter store "
                + directory
                + " is in use by another process; stop that one, or give this one its own --data",
            e);
      }
      throw new StoreException(
          "the adapter store " + directory + " cannot be opened: " + e.getMessage(), e);
    }
  }

  private static boolean isLocked(RocksDBException e) {
    // RocksDB has no code of its own for this; the lock file's name is part of its interface.
    return e.getStatus() != null
        && e.getStatus().getCode() == Status.Code.IOError
        && String.valueOf(e.getMessage()).contains("LOCK");
  }

  private AdapterStore(Path directory, RocksDB db, List<ColumnFamilyHandle> handles)
      throws RocksDBException {
    this.directory = directory;
    this.db = db;
    this.meta = handles.get(0);
    this.versions = handles.get(1);
    this.payloads = handles.get(2);
    this.refusals = handles.get(3);
    this.offsets = handles.get(4);
    this.schemas = handles.get(5);
    for (RolloutKind kind : RolloutKind.values()) {
      rollouts.put(kind, handles.get(6 + 2 * kind.ordinal()));
      rolloutOffsets.put(kind, handles.get(7 + 2 * kind.ordinal()));
    }
    this.families = handles;
    this.decoder = AdapterVersion.createDecoder(this::storedSchema);
    this.eventDecoder = RolloutEvent.createDecoder(this::storedSchema);
    byte[] layout = db.get(meta, LAYOUT);
    if (layout != null && !Arrays.equals(layout, LAYOUT_1) && !Arrays.equals(layout, LAYOUT_2)) {
      close();
      throw new UsageException(
          "the adapter store "
              + directory
              + " has layout "
              + new String(layout, UTF_8)
              + "; this release reads layouts 1 and 2");
    }
    write(
        batch -> {
          batch.put(meta, LAYOUT, LAYOUT_2);
          for (Schema schema :
              List.of(AdapterVersion.getClassSchema(), RolloutEvent.getClassSchema())) {
            batch.put(
                schemas,
                fingerprintKey(SchemaNormalization.parsingFingerprint64(schema)),
                schema.toString().getBytes(UTF_8));
          }
        });
  }

  /** The topic whose versions the store holds; empty for a new store. */
  public Optional<TopicIdentity> topic() {
    return identity(TOPIC);
  }

  /** The topic whose events of a kind the store holds; empty where there are none yet. */
  public Optional<TopicIdentity> rolloutTopic(RolloutKind kind) {
    return identity(rolloutTopicKey(kind));
  }

  private static byte[] rolloutTopicKey(RolloutKind kind) {
    return ("topic of " + kind.id()).getBytes(UTF_8);
  }

  private Optional<TopicIdentity> identity(byte[] key) {
    return get(meta, key)
        .map(
            bytes -> {
              JsonNode node = json(bytes);
              return new TopicIdentity(
                  node.get("clusterId").asText(), node.get("topicId").asText());
            });
  }

  /** Forgets all versions and keeps those of another topic from now on, in one batch. */
  public void startAfresh(TopicIdentity topic) {
    startAfresh(TOPIC, topic, List.of(versions, payloads, refusals, offsets));
  }

  /** Forgets all events of a kind and keeps those of another topic from now on, in one batch. */
  public void startRolloutsAfresh(RolloutKind kind, TopicIdentity topic) {
    startAfresh(
        rolloutTopicKey(kind), topic, List.of(rollouts.get(kind), rolloutOffsets.get(kind)));
  }

  private void startAfresh(byte[] key, TopicIdentity topic, List<ColumnFamilyHandle> emptied) {
    ObjectNode node = JSON.createObjectNode();
    node.put("clusterId", topic.clusterId());
    node.put("topicId", topic.topicId());
    write(
        batch -> {
          for (ColumnFamilyHandle family : emptied) {
            batch.deleteRange(family, BEFORE_ALL_KEYS, AFTER_ALL_KEYS);
          }
          batch.put(meta, key, bytes(node));
        });
  }

  /**
   * Per partition of {@code adapters}, the next offset to read. A partition never read has none.
   */
  public Map<Integer, Long> offsets() {
    return offsets(offsets);
  }

  /** As {@link #offsets()}, of {@code rollouts} as read for one kind of events. */
  public Map<Integer, Long> rolloutOffsets(RolloutKind kind) {
    return offsets(rolloutOffsets.get(kind));
  }

  private Map<Integer, Long> offsets(ColumnFamilyHandle family) {
    Map<Integer, Long> byPartition = new TreeMap<>();
    scan(
        family,
        (key, value) ->
            byPartition.put(ByteBuffer.wrap(key).getInt(), ByteBuffer.wrap(value).getLong()));
    return byPartition;
  }

  /** Keeps a version in place of whatever the store knew under its number, and moves on. */
  public void put(AdapterVersion version, StreamOffset offset) {
    byte[] key = key(version.getDomain(), version.getVersion());
    AdapterVersion withoutTensors =
        AdapterVersion.newBuilder(version).setPayload(ByteBuffer.allocate(0)).build();
    byte[] encoded = encode(withoutTensors);
    byte[] payload = payloadOf(version);
    write(
        batch -> {
          batch.put(versions, key, encoded);
          batch.put(payloads, key, payload);
          batch.delete(refusals, key);
          putOffset(batch, offset);
        });
  }

  /** Forgets a version, and moves on. */
  public void delete(String domain, long version, StreamOffset offset) {
    byte[] key = key(domain, version);
    write(
        batch -> {
          batch.delete(versions, key);
          batch.delete(payloads, key);
          batch.delete(refusals, key);
          putOffset(batch, offset);
        });
  }

  /** Keeps why a version was not kept, and moves on. */
  public void refuse(Refusal refusal, StreamOffset offset) {
    ObjectNode node = JSON.createObjectNode();
    node.put("sha256", refusal.sha256());
    node.put("reason", refusal.reason());
    node.put("at", refusal.at().toEpochMilli());
    write(
        batch -> {
          batch.put(refusals, key(refusal.domain(), refusal.version()), bytes(node));
          putOffset(batch, offset);
        });
  }

  /** Moves on past a record that changes nothing. */
  public void skip(StreamOffset offset) {
    write(batch -> putOffset(batch, offset));
  }

  /**
   * Keeps events of a kind, and moves on.
   *
   * @param next per partition that was read, the next offset to read
   */
  public void putRolloutEvents(
      RolloutKind kind, List<LoggedEvent> events, Map<Integer, Long> next) {
    boolean decides = kind == RolloutKind.DECISIONS && !events.isEmpty();
    write(
        decides ? synced : unsynced,
        batch -> {
          for (LoggedEvent logged : events) {
            batch.put(rollouts.get(kind), eventKey(logged), encode(logged));
          }
          for (Map.Entry<Integer, Long> each : next.entrySet()) {
            putOffset(
                batch, rolloutOffsets.get(kind), new StreamOffset(each.getKey(), each.getValue()));
          }
        });
  }

  /** Hands over every event of a kind, by partition and in the order of the log. */
  public void forEachRolloutEvent(RolloutKind kind, Consumer<LoggedEvent> consumer) {
    scan(rollouts.get(kind), (key, value) -> consumer.accept(decode(key, value)));
  }

  /** All events of a domain, of both kinds, in no order. */
  public List<LoggedEvent> rolloutEvents(String domain) {
    List<LoggedEvent> events = new ArrayList<>();
    for (RolloutKind kind : RolloutKind.values()) {
      forEachRolloutEvent(
          kind,
          logged -> {
            if (logged.event().getDomain().equals(domain)) {
              events.add(logged);
            }
          });
    }
    return events;
  }

  private static byte[] eventKey(LoggedEvent logged) {
    return ByteBuffer.allocate(Integer.BYTES + Long.BYTES)
        .putInt(logged.partition())
        .putLong(logged.offset())
        .array();
  }

  /** Kafka's time of the record, then the event. */
  private byte[] encode(LoggedEvent logged) {
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

  private LoggedEvent decode(byte[] key, byte[] value) {
    ByteBuffer place = ByteBuffer.wrap(key);
    ByteBuffer content = ByteBuffer.wrap(value);
    Instant time = Instant.ofEpochMilli(content.getLong());
    try {
      return new LoggedEvent(
          place.getInt(), place.getLong(), time, eventDecoder.decode(content.slice()));
    } catch (IOException | AvroRuntimeException e) {
      throw damaged(e);
    }
  }

  /** Hands over every version, by domain and in ascending order, without its tensors. */
  public void forEachVersion(Consumer<StoredVersion> consumer) {
    scan(versions, (key, value) -> consumer.accept(StoredVersion.of(decode(value))));
  }

  /** Hands over every refusal the store keeps. */
  public void forEachRefusal(Consumer<Refusal> consumer) {
    scan(
        refusals,
        (key, value) -> {
          JsonNode node = json(value);
          ByteBuffer in = ByteBuffer.wrap(key);
          byte[] domain = new byte[in.getInt()];
          in.get(domain);
          consumer.accept(
              new Refusal(
                  new String(domain, UTF_8),
                  in.getLong(),
                  node.get("sha256").asText(),
                  node.get("reason").asText(),
                  Instant.ofEpochMilli(node.get("at").asLong())));
        });
  }

  /** A version's tensors, a safetensors file; empty where the store does not hold it. */
  public Optional<byte[]> payload(String domain, long version) {
    return get(payloads, key(domain, version));
  }

  public static byte[] payloadOf(AdapterVersion version) {
    ByteBuffer payload = version.getPayload().duplicate();
    byte[] bytes = new byte[payload.remaining()];
    payload.get(bytes);
    return bytes;
  }

  /**
   * Length of the domain, the domain, the version; so versions of a domain lie together, sorted.
   */
  private static byte[] key(String domain, long version) {
    byte[] name = domain.getBytes(UTF_8);
    return ByteBuffer.allocate(Integer.BYTES + name.length + Long.BYTES)
        .putInt(name.length)
        .put(name)
        .putLong(version)
        .array();
  }

  private void putOffset(WriteBatch batch, StreamOffset offset) throws RocksDBException {
    putOffset(batch, offsets, offset);
  }

  private static void putOffset(WriteBatch batch, ColumnFamilyHandle family, StreamOffset offset)
      throws RocksDBException {
    batch.put(
        family,
        ByteBuffer.allocate(Integer.BYTES).putInt(offset.partition()).array(),
        ByteBuffer.allocate(Long.BYTES).putLong(offset.next()).array());
  }

  private static byte[] fingerprintKey(long fingerprint) {
    return ByteBuffer.allocate(Long.BYTES).putLong(fingerprint).array();
  }

  private Schema storedSchema(long fingerprint) {
    return get(schemas, fingerprintKey(fingerprint))
        .map(json -> new Schema.Parser().parse(new String(json, UTF_8)))
        .orElse(null);
  }

  private byte[] encode(AdapterVersion version) {
    try {
      ByteBuffer encoded = encoder.encode(version);
      byte[] bytes = new byte[encoded.remaining()];
      encoded.get(bytes);
      return bytes;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private AdapterVersion decode(byte[] bytes) {
    try {
      return decoder.decode(bytes);
    } catch (IOException | AvroRuntimeException e) {
      throw damaged(e);
    }
  }

  private StoreException damaged(Exception e) {
    return new StoreException(
        "the adapter store "
            + directory
            + " is damaged ("
            + e.getMessage()
            + "); without it, the topics are read again from their beginning",
        e);
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

  private Optional<byte[]> get(ColumnFamilyHandle family, byte[] key) {
    try {
      return Optional.ofNullable(db.get(family, key));
    } catch (RocksDBException e) {
      throw unreadable(e);
    }
  }

  private void scan(ColumnFamilyHandle family, BiConsumer<byte[], byte[]> entry) {
    try (RocksIterator iterator = db.newIterator(family)) {
      for (iterator.seekToFirst(); iterator.isValid(); iterator.next()) {
        entry.accept(iterator.key(), iterator.value());
      }
      iterator.status();
    } catch (RocksDBException e) {
      throw unreadable(e);
    }
  }

  private StoreException unreadable(RocksDBException e) {
    return new StoreException(
        "the adapter store " + directory + " cannot be read: " + e.getMessage(), e);
  }

  private interface Changes {
    void addTo(WriteBatch batch) throws RocksDBException;
  }

  private void write(Changes changes) {
    write(unsynced, changes);
  }

  private void write(WriteOptions options, Changes changes) {
    try (WriteBatch batch = new WriteBatch()) {
      changes.addTo(batch);
      db.write(options, batch);
    } catch (RocksDBException e) {
      throw new StoreException(
          "the adapter store " + directory + " cannot be written: " + e.getMessage(), e);
    }
  }

  @Override
  public void close() {
    families.forEach(ColumnFamilyHandle::close);
    db.close();
    synced.close();
    unsynced.close();
  }
}
