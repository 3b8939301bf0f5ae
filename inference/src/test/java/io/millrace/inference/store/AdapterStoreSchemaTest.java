package io.millrace.inference.store;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.client.rollout.RolloutKind;
import io.millrace.inference.TestAdapters;
import io.millrace.inference.TestDecisions;
import io.millrace.schemas.AdapterVersion;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.avro.Schema;
import org.apache.avro.SchemaNormalization;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.message.BinaryMessageEncoder;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.rocksdb.ColumnFamilyDescriptor;
import org.rocksdb.ColumnFamilyHandle;
import org.rocksdb.Options;
import org.rocksdb.RocksDB;

/**
 * A store outlives the release that wrote it: a record is read by the schema that stands beside it.
 */
@Tag("unit")
class AdapterStoreSchemaTest {
  private static final AdapterVersion VERSION = TestAdapters.version("films", 7, null);

  @TempDir Path directory;

  @Test
  void readsAVersionThatAnotherReleaseWroteWithAFieldOfItsOwn() throws Exception {
    AdapterVersion version = TestAdapters.version("films", 7, null);
    try (AdapterStore store = AdapterStore.open(directory)) {
      store.put(version, new StreamOffset(0, 1));
    }
    rewrite(version, withAnotherField(AdapterVersion.getClassSchema()));

    try (AdapterStore store = AdapterStore.open(directory)) {
      List<StoredVersion> read = new ArrayList<>();
      store.forEachVersion(read::add);
      assertThat(read).containsExactly(StoredVersion.of(version));
    }
  }

  @Test
  void takesOverAStoreFromBeforeThereWereRollouts() throws Exception {
    AdapterVersion version = TestAdapters.version("films", 7, null);
    TopicIdentity adapters = new TopicIdentity("cluster", "topic");
    try (AdapterStore store = AdapterStore.open(directory)) {
      store.startAfresh(adapters);
      store.put(version, new StreamOffset(3, 12));
    }
    makeItOfLayout1();

    LoggedEvent event =
        new LoggedEvent(1, 5, Instant.ofEpochMilli(77), TestDecisions.published(version));
    try (AdapterStore store = AdapterStore.open(directory)) {
      List<StoredVersion> read = new ArrayList<>();
      store.forEachVersion(read::add);
      assertThat(read).containsExactly(StoredVersion.of(version));
      assertThat(store.topic()).contains(adapters);
      assertThat(store.offsets()).isEqualTo(Map.of(3, 12L));
      for (RolloutKind kind : RolloutKind.values()) {
        assertThat(store.rolloutTopic(kind)).isEmpty();
        assertThat(store.rolloutOffsets(kind)).isEmpty();
      }
      store.putRolloutEvents(RolloutKind.PUBLICATIONS, List.of(event), Map.of(1, 6L));
    }

    try (AdapterStore store = AdapterStore.open(directory)) {
      assertThat(events(store)).containsExactly(event);
      assertThat(store.rolloutOffsets(RolloutKind.PUBLICATIONS)).isEqualTo(Map.of(1, 6L));
      assertThat(store.rolloutOffsets(RolloutKind.DECISIONS)).isEmpty();
    }
  }

  @Test
  void takesOverEventsThatLieByPartitionAndOffset() throws Exception {
    List<LoggedEvent> events = new ArrayList<>();
    for (int i = 1; i <= 2500; i++) {
      AdapterVersion version = AdapterVersion.newBuilder(VERSION).setVersion(i).build();
      events.add(new LoggedEvent(1, i, Instant.ofEpochMilli(i), TestDecisions.published(version)));
    }
    try (AdapterStore store = AdapterStore.open(directory)) {
      store.putRolloutEvents(RolloutKind.PUBLICATIONS, events, Map.of(1, 2501L));
    }
    makeItOfLayout2();

    try (AdapterStore store = AdapterStore.open(directory)) {
      assertThat(events(store)).isEqualTo(events);
      assertThat(store.rolloutOffsets(RolloutKind.PUBLICATIONS)).isEqualTo(Map.of(1, 2501L));
    }
    try (AdapterStore store = AdapterStore.open(directory)) {
      assertThat(events(store)).hasSize(2500);
    }
  }

  private static List<LoggedEvent> events(AdapterStore store) {
    List<LoggedEvent> events = new ArrayList<>();
    store.scanRolloutEvents("films", LogPlace.BEGINNING, events::add);
    return events;
  }

  /** Moves the publications of films back to keys of partition and offset. */
  private void makeItOfLayout2() throws Exception {
    List<ColumnFamilyHandle> families = new ArrayList<>();
    try (Options options = new Options()) {
      List<ColumnFamilyDescriptor> names =
          RocksDB.listColumnFamilies(options, directory.toString()).stream()
              .map(ColumnFamilyDescriptor::new)
              .collect(Collectors.toList());
      try (RocksDB db = RocksDB.open(directory.toString(), names, families)) {
        ColumnFamilyHandle from = family(families, "events-publications");
        try (var iterator = db.newIterator(from)) {
          for (iterator.seekToFirst(); iterator.isValid(); iterator.next()) {
            byte[] key = iterator.key();
            byte[] place = Arrays.copyOfRange(key, key.length - 12, key.length);
            db.put(family(families, "rollout-publications"), place, iterator.value());
            db.delete(from, key);
          }
        }
        db.put(family(families, "default"), "layout".getBytes(UTF_8), "2".getBytes(UTF_8));
        families.forEach(ColumnFamilyHandle::close);
      }
    }
  }

  /** Other names would be empty tables beside the old ones: the store would look empty. */
  @Test
  void theTablesAreCalledAsInEarlierReleases() throws Exception {
    AdapterStore.open(directory).close();

    try (Options options = new Options()) {
      assertThat(RocksDB.listColumnFamilies(options, directory.toString()))
          .extracting(name -> new String(name, UTF_8))
          .containsExactlyInAnyOrder(
              "default",
              "versions",
              "payloads",
              "refusals",
              "offsets",
              "schemas",
              "events-decisions",
              "events-publications",
              "rollout-decisions",
              "rollout-decisions-offsets",
              "rollout-publications",
              "rollout-publications-offsets");
    }
  }

  private void makeItOfLayout1() throws Exception {
    List<ColumnFamilyHandle> families = new ArrayList<>();
    try (Options options = new Options()) {
      List<ColumnFamilyDescriptor> names =
          RocksDB.listColumnFamilies(options, directory.toString()).stream()
              .map(ColumnFamilyDescriptor::new)
              .collect(Collectors.toList());
      try (RocksDB db = RocksDB.open(directory.toString(), names, families)) {
        for (ColumnFamilyHandle family : families) {
          if (new String(family.getName(), UTF_8).startsWith("rollout-")) {
            db.dropColumnFamily(family);
          }
        }
        db.put(family(families, "default"), "layout".getBytes(UTF_8), "1".getBytes(UTF_8));
        families.forEach(ColumnFamilyHandle::close);
      }
    }
  }

  private static Schema withAnotherField(Schema schema) {
    List<Schema.Field> fields = new ArrayList<>();
    fields.add(new Schema.Field("note", Schema.create(Schema.Type.STRING)));
    schema.getFields().forEach(field -> fields.add(new Schema.Field(field, field.schema())));
    return Schema.createRecord(schema.getName(), null, schema.getNamespace(), false, fields);
  }

  /** Puts the only version into the store again, as a release with that schema would have. */
  private void rewrite(AdapterVersion version, Schema schema) throws Exception {
    List<ColumnFamilyHandle> families = new ArrayList<>();
    try (Options options = new Options()) {
      List<ColumnFamilyDescriptor> names =
          RocksDB.listColumnFamilies(options, directory.toString()).stream()
              .map(ColumnFamilyDescriptor::new)
              .collect(Collectors.toList());
      try (RocksDB db = RocksDB.open(directory.toString(), names, families)) {
        ColumnFamilyHandle versions = family(families, "versions");
        byte[] key;
        try (var iterator = db.newIterator(versions)) {
          iterator.seekToFirst();
          key = iterator.key();
        }
        db.put(versions, key, encode(version, schema));
        db.put(
            family(families, "schemas"),
            ByteBuffer.allocate(Long.BYTES)
                .putLong(SchemaNormalization.parsingFingerprint64(schema))
                .array(),
            schema.toString().getBytes(UTF_8));
        families.forEach(ColumnFamilyHandle::close);
      }
    }
  }

  private static ColumnFamilyHandle family(List<ColumnFamilyHandle> families, String name)
      throws Exception {
    for (ColumnFamilyHandle family : families) {
      if (new String(family.getName(), UTF_8).equals(name)) {
        return family;
      }
    }
    throw new AssertionError("no column family " + name);
  }

  private static byte[] encode(AdapterVersion version, Schema schema) throws IOException {
    GenericRecord record = new GenericData.Record(schema);
    record.put("note", "of another release");
    for (Schema.Field field : AdapterVersion.getClassSchema().getFields()) {
      record.put(field.name(), version.get(field.name()));
    }
    record.put("createdAt", version.getCreatedAt().toEpochMilli());
    record.put("payload", ByteBuffer.allocate(0));
    ByteBuffer encoded =
        new BinaryMessageEncoder<GenericRecord>(GenericData.get(), schema).encode(record);
    byte[] bytes = new byte[encoded.remaining()];
    encoded.get(bytes);
    return bytes;
  }
}
