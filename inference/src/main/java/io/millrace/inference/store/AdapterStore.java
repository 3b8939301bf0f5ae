package io.millrace.inference.store;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.millrace.client.process.UsageException;
import io.millrace.client.rollout.RolloutKind;
import io.millrace.inference.store.KeyValueStore.Batch;
import io.millrace.inference.store.KeyValueStore.Table;
import io.millrace.schemas.AdapterVersion;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Consumer;

/**
 * The adapter versions and rollout events that this process has read, in a local store, together
 * with the offsets of {@code adapters} and {@code rollouts} after them.
 *
 * <p>The change that a record makes and the offset after it are one write batch, which is in the
 * write-ahead log before the call returns. So after a kill -9 the store holds exactly the records
 * before its offsets, and a restart continues there. Decisions are also synced to disk, with all
 * writes before them: a version that was rolled back must not serve again after a loss of power.
 * Versions are not synced: a loss of power takes the last of them together with their offsets, and
 * they are read again.
 *
 * <p>{@link RecordCodec} describes the tables. Tensors have a table of their own: listing versions
 * does not read them.
 *
 * <p>One process at a time may have a store open. All methods may be called from any thread; {@link
 * #close} only when no other call is running.
 */
public final class AdapterStore implements AutoCloseable {
  private static final String VERSIONS = "versions";
  private static final String PAYLOADS = "payloads";
  private static final String REFUSALS = "refusals";
  private static final String OFFSETS = "offsets";
  private static final String SCHEMAS = "schemas";
  private static final byte[] TOPIC = "topic".getBytes(UTF_8);
  private static final byte[] LAYOUT = "layout".getBytes(UTF_8);

  /** Layout 1 had no rollouts; it becomes layout 2 by having none. */
  private static final String LAYOUT_1 = "1";

  private static final String LAYOUT_2 = "2";
  private final Path directory;
  private final KeyValueStore db;
  private final RecordCodec codec;
  private final Table meta;
  private final Table versions;
  private final Table payloads;
  private final Table refusals;
  private final Table offsets;
  private final Map<RolloutKind, Table> rollouts = new EnumMap<>(RolloutKind.class);
  private final Map<RolloutKind, Table> rolloutOffsets = new EnumMap<>(RolloutKind.class);

  /**
   * Opens the store in a directory, which is made where there is none.
   *
   * @throws UsageException where another process has it open, or it is no store this release reads
   * @throws StoreException where it cannot be read or written
   */
  public static AdapterStore open(Path directory) {
    try {
      Files.createDirectories(directory);
    } catch (IOException e) {
      throw new UsageException("the adapter store " + directory + " cannot be made: " + e, e);
    }
    List<String> tables = new ArrayList<>(List.of(VERSIONS, PAYLOADS, REFUSALS, OFFSETS, SCHEMAS));
    for (RolloutKind kind : RolloutKind.values()) {
      tables.add(eventsOf(kind));
      tables.add(offsetsOf(kind));
    }
    try {
      return new AdapterStore(
          directory, KeyValueStore.open("the adapter store " + directory, directory, tables));
    } catch (KeyValueStore.CannotOpenException e) {
      if (e.isLocked()) {
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

  private static String eventsOf(RolloutKind kind) {
    return "rollout-" + kind.id();
  }

  private static String offsetsOf(RolloutKind kind) {
    return "rollout-" + kind.id() + "-offsets";
  }

  private AdapterStore(Path directory, KeyValueStore db) {
    this.directory = directory;
    this.db = db;
    this.codec = new RecordCodec(db.table(SCHEMAS));
    this.meta = db.table(KeyValueStore.DEFAULT);
    this.versions = db.table(VERSIONS);
    this.payloads = db.table(PAYLOADS);
    this.refusals = db.table(REFUSALS);
    this.offsets = db.table(OFFSETS);
    for (RolloutKind kind : RolloutKind.values()) {
      rollouts.put(kind, db.table(eventsOf(kind)));
      rolloutOffsets.put(kind, db.table(offsetsOf(kind)));
    }
    Optional<String> layout = meta.get(LAYOUT).map(bytes -> new String(bytes, UTF_8));
    if (layout.isPresent() && !layout.get().equals(LAYOUT_1) && !layout.get().equals(LAYOUT_2)) {
      close();
      throw new UsageException(
          "the adapter store "
              + directory
              + " has layout "
              + layout.get()
              + "; this release reads layouts 1 and 2");
    }
    db.write(
        batch -> {
          batch.put(meta, LAYOUT, LAYOUT_2.getBytes(UTF_8));
          codec.putSchemas(batch);
        });
  }

  /** The topic that the versions come from; empty for a new store. */
  public Optional<TopicIdentity> topic() {
    return identity(TOPIC);
  }

  /** The topic that the events of a kind come from; empty where there are none yet. */
  public Optional<TopicIdentity> rolloutTopic(RolloutKind kind) {
    return identity(rolloutTopicKey(kind));
  }

  private static byte[] rolloutTopicKey(RolloutKind kind) {
    return ("topic of " + kind.id()).getBytes(UTF_8);
  }

  private Optional<TopicIdentity> identity(byte[] key) {
    return meta.get(key).map(RecordCodec::decodeTopic);
  }

  /** Deletes all versions, and stores those of another topic from now on, in one batch. */
  public void startAfresh(TopicIdentity topic) {
    startAfresh(TOPIC, topic, List.of(versions, payloads, refusals, offsets));
  }

  /** Deletes all events of a kind, and stores those of another topic from now on, in one batch. */
  public void startRolloutsAfresh(RolloutKind kind, TopicIdentity topic) {
    startAfresh(
        rolloutTopicKey(kind), topic, List.of(rollouts.get(kind), rolloutOffsets.get(kind)));
  }

  private void startAfresh(byte[] key, TopicIdentity topic, List<Table> emptied) {
    db.write(
        batch -> {
          for (Table table : emptied) {
            batch.deleteRange(table, KeyValueStore.BEFORE_ALL_KEYS, RecordCodec.AFTER_ALL_KEYS);
          }
          batch.put(meta, key, RecordCodec.encode(topic));
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

  private Map<Integer, Long> offsets(Table table) {
    Map<Integer, Long> byPartition = new TreeMap<>();
    table.forEach(
        (key, value) -> {
          StreamOffset offset = RecordCodec.decodeOffset(key, value);
          byPartition.put(offset.partition(), offset.next());
        });
    return byPartition;
  }

  /**
   * Stores a version in place of what the store has under its number.
   *
   * @param offset after its record, stored in the same batch
   */
  public void put(AdapterVersion version, StreamOffset offset) {
    byte[] key = RecordCodec.key(version.getDomain(), version.getVersion());
    byte[] encoded = codec.encode(version);
    byte[] payload = payloadOf(version);
    db.write(
        batch -> {
          batch.put(versions, key, encoded);
          batch.put(payloads, key, payload);
          batch.delete(refusals, key);
          putOffset(batch, offset);
        });
  }

  /**
   * Deletes a version.
   *
   * @param offset after its tombstone, stored in the same batch
   */
  public void delete(String domain, long version, StreamOffset offset) {
    byte[] key = RecordCodec.key(domain, version);
    db.write(
        batch -> {
          batch.delete(versions, key);
          batch.delete(payloads, key);
          batch.delete(refusals, key);
          putOffset(batch, offset);
        });
  }

  /**
   * Stores why a version is not stored.
   *
   * @param offset after its record, stored in the same batch
   */
  public void refuse(Refusal refusal, StreamOffset offset) {
    db.write(
        batch -> {
          batch.put(
              refusals,
              RecordCodec.key(refusal.domain(), refusal.version()),
              RecordCodec.encode(refusal));
          putOffset(batch, offset);
        });
  }

  /** Stores the offset after a record that changes nothing. */
  public void skip(StreamOffset offset) {
    db.write(batch -> putOffset(batch, offset));
  }

  /**
   * Stores events of a kind.
   *
   * @param next per partition that was read, the next offset to read, stored in the same batch
   */
  public void putRolloutEvents(
      RolloutKind kind, List<LoggedEvent> events, Map<Integer, Long> next) {
    Consumer<Batch> changes =
        batch -> {
          for (LoggedEvent logged : events) {
            batch.put(rollouts.get(kind), RecordCodec.key(logged), codec.encode(logged));
          }
          next.forEach(
              (partition, offset) ->
                  putOffset(batch, rolloutOffsets.get(kind), new StreamOffset(partition, offset)));
        };
    if (kind == RolloutKind.DECISIONS && !events.isEmpty()) {
      db.writeSynced(changes);
    } else {
      db.write(changes);
    }
  }

  /** Passes on every event of a kind, by partition and in the order of the topic. */
  public void forEachRolloutEvent(RolloutKind kind, Consumer<LoggedEvent> consumer) {
    rollouts
        .get(kind)
        .forEach(
            (key, value) -> {
              try {
                consumer.accept(codec.decodeEvent(key, value));
              } catch (RecordCodec.DamagedException e) {
                throw damaged(e);
              }
            });
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

  /** Passes on every version, without its tensors; those of a domain in ascending order. */
  public void forEachVersion(Consumer<StoredVersion> consumer) {
    versions.forEach(
        (key, value) -> {
          try {
            consumer.accept(StoredVersion.of(codec.decodeVersion(value)));
          } catch (RecordCodec.DamagedException e) {
            throw damaged(e);
          }
        });
  }

  /** Passes on every refusal. */
  public void forEachRefusal(Consumer<Refusal> consumer) {
    refusals.forEach((key, value) -> consumer.accept(RecordCodec.decodeRefusal(key, value)));
  }

  /** The payload of a version: a safetensors file. Empty where the store does not hold it. */
  public Optional<byte[]> payload(String domain, long version) {
    return payloads.get(RecordCodec.key(domain, version));
  }

  /** A copy of the payload of a version: a safetensors file. */
  public static byte[] payloadOf(AdapterVersion version) {
    ByteBuffer payload = version.getPayload().duplicate();
    byte[] bytes = new byte[payload.remaining()];
    payload.get(bytes);
    return bytes;
  }

  private void putOffset(Batch batch, StreamOffset offset) {
    putOffset(batch, offsets, offset);
  }

  private static void putOffset(Batch batch, Table table, StreamOffset offset) {
    batch.put(table, RecordCodec.key(offset), RecordCodec.encode(offset));
  }

  private StoreException damaged(RecordCodec.DamagedException e) {
    return new StoreException(
        "the adapter store "
            + directory
            + " is damaged ("
            + e.getMessage()
            + "); without it, the topics are read again from their beginning",
        e);
  }

  @Override
  public void close() {
    db.close();
  }
}
