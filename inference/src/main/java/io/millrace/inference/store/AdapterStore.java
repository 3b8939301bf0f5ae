package io.millrace.inference.store;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.millrace.client.process.PrivateDirectories;
import io.millrace.client.process.UsageException;
import io.millrace.client.rollout.RolloutKind;
import io.millrace.inference.store.KeyValueStore.Batch;
import io.millrace.inference.store.KeyValueStore.Cursor;
import io.millrace.inference.store.KeyValueStore.Table;
import io.millrace.schemas.AdapterVersion;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.stream.Stream;

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
 * does not read them. Nothing here is held in memory but counts: the store may hold many more
 * versions and events than the heap.
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

  /** After the places of all records. */
  private static final LogPlace LAST = new LogPlace(Integer.MAX_VALUE, Long.MAX_VALUE);

  /** Layout 1 had no rollouts; it becomes layout 2 by having none. */
  private static final String LAYOUT_1 = "1";

  /** Layout 2 had events by partition and offset; they are moved to tables by domain. */
  private static final String LAYOUT_2 = "2";

  private static final String LAYOUT_3 = "3";

  /** Events that are moved in one batch. */
  private static final int MOVED_AT_ONCE = 1000;

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
  private final Map<RolloutKind, Table> rolloutsOfLayout2 = new EnumMap<>(RolloutKind.class);
  private final RefusalCount refusalCount = new RefusalCount();

  /**
   * Opens the store in a directory, which is made where there is none.
   *
   * @throws UsageException where another process has it open, or it is no store this release reads
   * @throws StoreException where it cannot be read or written
   */
  public static AdapterStore open(Path directory) {
    try {
      PrivateDirectories.create(directory);
    } catch (IOException e) {
      throw new UsageException("the adapter store " + directory + " cannot be made: " + e, e);
    }
    List<String> tables = new ArrayList<>(List.of(VERSIONS, PAYLOADS, REFUSALS, OFFSETS, SCHEMAS));
    for (RolloutKind kind : RolloutKind.values()) {
      tables.add(eventsOf(kind));
      tables.add(eventsOfLayout2(kind));
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
    return "events-" + kind.id();
  }

  private static String eventsOfLayout2(RolloutKind kind) {
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
      rolloutsOfLayout2.put(kind, db.table(eventsOfLayout2(kind)));
    }
    Optional<String> layout = meta.get(LAYOUT).map(bytes -> new String(bytes, UTF_8));
    if (layout.isPresent() && !List.of(LAYOUT_1, LAYOUT_2, LAYOUT_3).contains(layout.get())) {
      close();
      throw new UsageException(
          "the adapter store "
              + directory
              + " has layout "
              + layout.get()
              + "; this release reads layouts 1 to 3");
    }
    try {
      db.write(codec::putSchemas);
      for (RolloutKind kind : RolloutKind.values()) {
        moveToDomains(kind);
      }
      db.write(batch -> batch.put(meta, LAYOUT, LAYOUT_3.getBytes(UTF_8)));
      forEachRefusal(refusalCount::add);
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  /** Moves the events of layout 2; after a kill, the next opening moves the rest. */
  private void moveToDomains(RolloutKind kind) {
    Table from = rolloutsOfLayout2.get(kind);
    boolean more = true;
    while (more) {
      List<byte[]> moved = new ArrayList<>();
      List<LoggedEvent> events = new ArrayList<>();
      from.scan(
          KeyValueStore.BEFORE_ALL_KEYS,
          (key, value) -> {
            moved.add(key);
            events.add(decoded(() -> codec.decodeEventOfLayout2(key, value)));
            return moved.size() < MOVED_AT_ONCE;
          });
      db.write(
          batch -> {
            moved.forEach(key -> batch.delete(from, key));
            events.forEach(
                logged ->
                    batch.put(rollouts.get(kind), RecordCodec.key(logged), codec.encode(logged)));
          });
      more = moved.size() == MOVED_AT_ONCE;
    }
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
    refusalCount.clear();
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
    boolean wasRefused = refusals.get(key).isPresent();
    db.write(
        batch -> {
          batch.put(versions, key, encoded);
          batch.put(payloads, key, payload);
          batch.delete(refusals, key);
          putOffset(batch, offset);
        });
    if (wasRefused) {
      forgetRefusal(version.getDomain(), version.getVersion());
    }
  }

  /**
   * Deletes a version.
   *
   * @param offset after its tombstone, stored in the same batch
   */
  public void delete(String domain, long version, StreamOffset offset) {
    byte[] key = RecordCodec.key(domain, version);
    boolean wasRefused = refusals.get(key).isPresent();
    db.write(
        batch -> {
          batch.delete(versions, key);
          batch.delete(payloads, key);
          batch.delete(refusals, key);
          putOffset(batch, offset);
        });
    if (wasRefused) {
      forgetRefusal(domain, version);
    }
  }

  /**
   * Stores why a version is not stored.
   *
   * @param offset after its record, stored in the same batch
   */
  public void refuse(Refusal refusal, StreamOffset offset) {
    byte[] key = RecordCodec.key(refusal.domain(), refusal.version());
    boolean wasRefused = refusals.get(key).isPresent();
    db.write(
        batch -> {
          batch.put(refusals, key, RecordCodec.encode(refusal));
          putOffset(batch, offset);
        });
    if (wasRefused) {
      refusalCount.replace(refusal);
    } else {
      refusalCount.add(refusal);
    }
  }

  private void forgetRefusal(String domain, long version) {
    if (refusalCount.remove(domain, version)) {
      refusalCount.clear();
      forEachRefusal(refusalCount::add);
    }
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

  /** Passes on every event of a kind, by domain, and those of a domain in the topic's order. */
  public void forEachRolloutEvent(RolloutKind kind, Consumer<LoggedEvent> consumer) {
    rollouts.get(kind).forEach((key, value) -> consumer.accept(event(key, value)));
  }

  /** Passes on the last publication of each domain that has one; reads no others. */
  public void forEachNewestPublication(Consumer<LoggedEvent> consumer) {
    Table publications = rollouts.get(RolloutKind.PUBLICATIONS);
    publications.forEachGroup(
        RecordCodec::prefixLength,
        first -> {
          byte[] prefix = Arrays.copyOf(first, RecordCodec.prefixLength(first));
          publications.scanBack(
              RecordCodec.eventKey(RecordCodec.domainOf(first), LAST),
              (key, value) -> {
                if (!startsWith(key, prefix)) {
                  return false;
                }
                LoggedEvent logged = event(key, value);
                if (logged.event().getVersion() == null) {
                  return true;
                }
                consumer.accept(logged);
                return false;
              });
        });
  }

  /**
   * Passes on a domain's events of both kinds in the order of the topic, until one returns false.
   *
   * @param after the place after which to begin
   */
  public void scanRolloutEvents(
      String domain, LogPlace after, Predicate<LoggedEvent> eachUntilFalse) {
    byte[] prefix = RecordCodec.prefix(domain);
    // The beginning has no place among unsigned numbers.
    byte[] from = after.equals(LogPlace.BEGINNING) ? prefix : RecordCodec.eventKey(domain, after);
    try (Cursor one = rollouts.get(RolloutKind.DECISIONS).cursor(from);
        Cursor other = rollouts.get(RolloutKind.PUBLICATIONS).cursor(from)) {
      boolean more = true;
      while (more) {
        Cursor next = earlier(one, other, prefix);
        if (next == null) {
          return;
        }
        LoggedEvent logged = event(next.key(), next.value());
        more = logged.place().compareTo(after) <= 0 || eachUntilFalse.test(logged);
        next.next();
      }
    }
  }

  /** The cursor with the smaller key of that prefix; null where neither has one. */
  private static Cursor earlier(Cursor one, Cursor other, byte[] prefix) {
    boolean isOne = one.isValid() && startsWith(one.key(), prefix);
    boolean isOther = other.isValid() && startsWith(other.key(), prefix);
    if (isOne && isOther) {
      return Arrays.compareUnsigned(one.key(), other.key()) <= 0 ? one : other;
    }
    return isOne ? one : isOther ? other : null;
  }

  private static boolean startsWith(byte[] key, byte[] prefix) {
    return key.length >= prefix.length
        && Arrays.equals(key, 0, prefix.length, prefix, 0, prefix.length);
  }

  private LoggedEvent event(byte[] key, byte[] value) {
    return decoded(() -> codec.decodeEvent(key, value));
  }

  /** Passes on the name of each domain that has a version or a refusal, some of them twice. */
  public void forEachDomain(Consumer<String> consumer) {
    for (Table table : List.of(versions, refusals)) {
      table.forEachGroup(
          RecordCodec::prefixLength, key -> consumer.accept(RecordCodec.domainOf(key)));
    }
  }

  /** Whether the store holds a version or a refusal of a domain. */
  public boolean holdsAnyOf(String domain) {
    byte[] prefix = RecordCodec.prefix(domain);
    return Stream.of(versions, refusals)
        .anyMatch(
            table ->
                table.atOrAfter(prefix).filter(at -> startsWith(at.getKey(), prefix)).isPresent());
  }

  /** Passes on every version, without its tensors; those of a domain in ascending order. */
  public void forEachVersion(Consumer<StoredVersion> consumer) {
    versions.forEach((key, value) -> consumer.accept(version(value)));
  }

  /** The version of that number, without its tensors; empty where the store does not hold it. */
  public Optional<StoredVersion> version(String domain, long version) {
    return versions.get(RecordCodec.key(domain, version)).map(this::version);
  }

  /**
   * The version before a number, without its tensors; empty where there is none.
   *
   * @param before {@link Long#MAX_VALUE} for the newest
   */
  public Optional<StoredVersion> versionBefore(String domain, long before) {
    byte[] prefix = RecordCodec.prefix(domain);
    return versions
        .atOrBefore(RecordCodec.key(domain, before - 1))
        .filter(at -> startsWith(at.getKey(), prefix))
        .map(at -> version(at.getValue()));
  }

  /** The number of the first version of a domain; empty where there is none. */
  public OptionalLong firstVersion(String domain) {
    byte[] prefix = RecordCodec.prefix(domain);
    return versions
        .atOrAfter(prefix)
        .filter(at -> startsWith(at.getKey(), prefix))
        .map(at -> OptionalLong.of(RecordCodec.versionOf(at.getKey())))
        .orElse(OptionalLong.empty());
  }

  /** How many versions of a domain there are; reads the keys of all of them. */
  public long countVersions(String domain) {
    byte[] prefix = RecordCodec.prefix(domain);
    AtomicLong count = new AtomicLong();
    versions.scanKeys(prefix, key -> startsWith(key, prefix) && count.incrementAndGet() > 0);
    return count.get();
  }

  /**
   * The latest versions of a domain before a number, in ascending order, without their tensors.
   *
   * @param before {@link Long#MAX_VALUE} for the newest ones
   * @param limit how many at most
   */
  public List<StoredVersion> versionsBefore(String domain, long before, int limit) {
    return latestBefore(versions, domain, before, limit, (key, value) -> version(value));
  }

  /** As {@link #versionsBefore}, of the versions that were refused and are not in the store. */
  public List<Refusal> refusalsBefore(String domain, long before, int limit) {
    return latestBefore(refusals, domain, before, limit, RecordCodec::decodeRefusal);
  }

  private static <T> List<T> latestBefore(
      Table table, String domain, long before, int limit, BiFunction<byte[], byte[], T> decode) {
    byte[] prefix = RecordCodec.prefix(domain);
    Deque<T> found = new ArrayDeque<>();
    if (limit > 0) {
      table.scanBack(
          RecordCodec.key(domain, before - 1),
          (key, value) -> {
            if (!startsWith(key, prefix)) {
              return false;
            }
            found.addFirst(decode.apply(key, value));
            return found.size() < limit;
          });
    }
    return List.copyOf(found);
  }

  /** Why a version was refused that is not in the store; empty where none was. */
  public Optional<Refusal> refusal(String domain, long version) {
    byte[] key = RecordCodec.key(domain, version);
    return refusals.get(key).map(value -> RecordCodec.decodeRefusal(key, value));
  }

  /** How many versions were refused and are not in the store. */
  public long refusedCount() {
    return refusalCount.count();
  }

  /** The latest ten at most of the versions that were refused and are not in the store. */
  public List<Refusal> latestRefusals() {
    return refusalCount.latest();
  }

  private StoredVersion version(byte[] value) {
    return StoredVersion.of(decoded(() -> codec.decodeVersion(value)));
  }

  /** Reads a record. */
  private interface Decoding<T> {
    T decode() throws RecordCodec.DamagedException;
  }

  private <T> T decoded(Decoding<T> decoding) {
    try {
      return decoding.decode();
    } catch (RecordCodec.DamagedException e) {
      throw damaged(e);
    }
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
