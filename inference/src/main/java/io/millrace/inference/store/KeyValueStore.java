package io.millrace.inference.store;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BiConsumer;
import java.util.function.BiPredicate;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.function.ToIntFunction;
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
 * A local RocksDB of several tables, its column families. Keys and values are bytes; the keys of a
 * table are in the order of their bytes, unsigned.
 *
 * <p>One process at a time may have a store open. All methods may be called from any thread; {@link
 * #close} only when no other call is running.
 */
public final class KeyValueStore implements AutoCloseable {
  /** The name of the table that every store has. */
  public static final String DEFAULT = "default";

  /** A start replays the write-ahead log; without a bound it would grow to gigabytes. */
  private static final long MAX_LOG_BYTES = 64L << 20;

  private static final int LOG_FILES = 2;
  static final byte[] BEFORE_ALL_KEYS = {};

  /** One column family. */
  public final class Table {
    private final ColumnFamilyHandle handle;

    private Table(ColumnFamilyHandle handle) {
      this.handle = handle;
    }

    /**
     * @throws StoreException where it cannot be read
     */
    public Optional<byte[]> get(byte[] key) {
      try {
        return Optional.ofNullable(db.get(handle, key));
      } catch (RocksDBException e) {
        throw unreadable(e);
      }
    }

    /**
     * Passes on every entry, in the order of the keys.
     *
     * @throws StoreException where it cannot be read
     */
    public void forEach(BiConsumer<byte[], byte[]> entry) {
      scan(
          BEFORE_ALL_KEYS,
          (key, value) -> {
            entry.accept(key, value);
            return true;
          });
    }

    /**
     * Passes on the entries from a key on, in the order of the keys, until one returns false.
     *
     * @throws StoreException where it cannot be read
     */
    public void scan(byte[] from, BiPredicate<byte[], byte[]> entry) {
      try (RocksIterator iterator = db.newIterator(handle)) {
        iterator.seek(from);
        while (iterator.isValid() && entry.test(iterator.key(), iterator.value())) {
          iterator.next();
        }
        iterator.status();
      } catch (RocksDBException e) {
        throw unreadable(e);
      }
    }

    /**
     * A cursor at the first entry whose key is no smaller than this one.
     *
     * @return to be closed by the caller
     */
    Cursor cursor(byte[] from) {
      RocksIterator iterator = db.newIterator(handle);
      iterator.seek(from);
      return new Cursor(iterator);
    }

    /**
     * The entry with the greatest key; empty where there is none.
     *
     * @throws StoreException where it cannot be read
     */
    public Optional<Map.Entry<byte[], byte[]>> last() {
      return entry(RocksIterator::seekToLast);
    }

    /**
     * The entry with the smallest key that is no smaller than this one; empty where there is none.
     *
     * @throws StoreException where it cannot be read
     */
    Optional<Map.Entry<byte[], byte[]>> atOrAfter(byte[] key) {
      return entry(iterator -> iterator.seek(key));
    }

    /**
     * The entry with the greatest key that is no greater than this one; empty where there is none.
     *
     * @throws StoreException where it cannot be read
     */
    Optional<Map.Entry<byte[], byte[]>> atOrBefore(byte[] key) {
      return entry(iterator -> iterator.seekForPrev(key));
    }

    private Optional<Map.Entry<byte[], byte[]>> entry(Consumer<RocksIterator> seek) {
      try (RocksIterator iterator = db.newIterator(handle)) {
        seek.accept(iterator);
        Optional<Map.Entry<byte[], byte[]>> found =
            iterator.isValid()
                ? Optional.of(Map.entry(iterator.key(), iterator.value()))
                : Optional.empty();
        iterator.status();
        return found;
      } catch (RocksDBException e) {
        throw unreadable(e);
      }
    }

    /**
     * Passes on the keys from one on, in their order, until one returns false. Reads no values.
     *
     * @throws StoreException where it cannot be read
     */
    void scanKeys(byte[] from, Predicate<byte[]> key) {
      try (RocksIterator iterator = db.newIterator(handle)) {
        iterator.seek(from);
        while (iterator.isValid() && key.test(iterator.key())) {
          iterator.next();
        }
        iterator.status();
      } catch (RocksDBException e) {
        throw unreadable(e);
      }
    }

    /**
     * Passes on the entries from a key on, against the order of the keys, until one returns false.
     *
     * @param from the greatest key that may be passed on
     * @throws StoreException where it cannot be read
     */
    void scanBack(byte[] from, BiPredicate<byte[], byte[]> entry) {
      try (RocksIterator iterator = db.newIterator(handle)) {
        iterator.seekForPrev(from);
        while (iterator.isValid() && entry.test(iterator.key(), iterator.value())) {
          iterator.prev();
        }
        iterator.status();
      } catch (RocksDBException e) {
        throw unreadable(e);
      }
    }

    /**
     * Passes on the first key of each group of keys that begin alike, in their order; the keys
     * between are not read.
     *
     * @param prefix gives the length of what the keys of a group have in common, from one of them
     * @throws StoreException where it cannot be read
     */
    void forEachGroup(ToIntFunction<byte[]> prefix, Consumer<byte[]> first) {
      try (RocksIterator iterator = db.newIterator(handle)) {
        iterator.seekToFirst();
        while (iterator.isValid()) {
          byte[] key = iterator.key();
          first.accept(key);
          byte[] next = after(Arrays.copyOf(key, prefix.applyAsInt(key)));
          if (next.length == 0) {
            break;
          }
          iterator.seek(next);
        }
        iterator.status();
      } catch (RocksDBException e) {
        throw unreadable(e);
      }
    }
  }

  /** A place among the entries of a table, in the order of the keys. For one thread. */
  final class Cursor implements AutoCloseable {
    private final RocksIterator iterator;

    private Cursor(RocksIterator iterator) {
      this.iterator = iterator;
    }

    /**
     * Whether there is an entry here.
     *
     * @throws StoreException where it cannot be read
     */
    boolean isValid() {
      if (iterator.isValid()) {
        return true;
      }
      try {
        iterator.status();
        return false;
      } catch (RocksDBException e) {
        throw unreadable(e);
      }
    }

    byte[] key() {
      return iterator.key();
    }

    byte[] value() {
      return iterator.value();
    }

    void next() {
      iterator.next();
    }

    @Override
    public void close() {
      iterator.close();
    }
  }

  /** The smallest key after all keys that begin with a prefix; empty where there is none. */
  static byte[] after(byte[] prefix) {
    int last = prefix.length - 1;
    while (last >= 0 && prefix[last] == -1) {
      last--;
    }
    byte[] next = Arrays.copyOf(prefix, last + 1);
    if (last >= 0) {
      next[last]++;
    }
    return next;
  }

  /** Changes that are written together: all of them or none. */
  public final class Batch {
    private final WriteBatch batch;

    private Batch(WriteBatch batch) {
      this.batch = batch;
    }

    public void put(Table table, byte[] key, byte[] value) {
      try {
        batch.put(table.handle, key, value);
      } catch (RocksDBException e) {
        throw unwritable(e);
      }
    }

    public void delete(Table table, byte[] key) {
      try {
        batch.delete(table.handle, key);
      } catch (RocksDBException e) {
        throw unwritable(e);
      }
    }

    /**
     * Deletes the entries between two keys.
     *
     * @param from the first key to delete
     * @param until the first key after it to keep
     */
    public void deleteRange(Table table, byte[] from, byte[] until) {
      try {
        batch.deleteRange(table.handle, from, until);
      } catch (RocksDBException e) {
        throw unwritable(e);
      }
    }
  }

  /** The store cannot be opened; the message is RocksDB's reason. */
  public static final class CannotOpenException extends Exception {
    private static final long serialVersionUID = 1;

    private final boolean locked;

    private CannotOpenException(RocksDBException cause) {
      super(cause.getMessage(), cause);
      // RocksDB has no error code for this; the name of the lock file is part of its interface.
      this.locked =
          cause.getStatus() != null
              && cause.getStatus().getCode() == Status.Code.IOError
              && String.valueOf(cause.getMessage()).contains("LOCK");
    }

    /** Whether another process has it open. */
    public boolean isLocked() {
      return locked;
    }
  }

  private final String name;
  private final RocksDB db;
  private final Map<String, Table> tables = new LinkedHashMap<>();
  private final WriteOptions synced = new WriteOptions().setSync(true);
  private final WriteOptions unsynced = new WriteOptions();

  /**
   * Opens the store in a directory.
   *
   * @param name what messages call it, such as "the adapter store /data/adapters"
   * @param directory an existing one
   * @param tables the names of all its tables; those that are missing are made
   * @throws CannotOpenException where another process has it open, it has other tables, or it
   *     cannot be read or made
   */
  public static KeyValueStore open(String name, Path directory, List<String> tables)
      throws CannotOpenException {
    RocksDB.loadLibrary();
    List<ColumnFamilyDescriptor> families = new ArrayList<>();
    // Every RocksDB has this column family, and wants it named.
    families.add(new ColumnFamilyDescriptor(RocksDB.DEFAULT_COLUMN_FAMILY));
    for (String table : tables) {
      families.add(new ColumnFamilyDescriptor(table.getBytes(UTF_8)));
    }
    List<ColumnFamilyHandle> handles = new ArrayList<>();
    try (DBOptions options =
        new DBOptions()
            .setCreateIfMissing(true)
            .setCreateMissingColumnFamilies(true)
            .setMaxTotalWalSize(MAX_LOG_BYTES)
            .setInfoLogLevel(InfoLogLevel.WARN_LEVEL)
            .setKeepLogFileNum(LOG_FILES)) {
      RocksDB db = RocksDB.open(options, directory.toString(), families, handles);
      return new KeyValueStore(name, db, tables, handles);
    } catch (RocksDBException e) {
      throw new CannotOpenException(e);
    }
  }

  /**
   * @param handles of the default table and of the others in their order
   */
  private KeyValueStore(
      String name, RocksDB db, List<String> others, List<ColumnFamilyHandle> handles) {
    this.name = name;
    this.db = db;
    tables.put(DEFAULT, new Table(handles.get(0)));
    for (int i = 0; i < others.size(); i++) {
      tables.put(others.get(i), new Table(handles.get(i + 1)));
    }
  }

  /** The table of that name, one of those it was opened with, or {@link #DEFAULT}. */
  public Table table(String table) {
    Table found = tables.get(table);
    if (found == null) {
      throw new IllegalArgumentException(name + " has no table " + table);
    }
    return found;
  }

  /**
   * Writes changes together. They are in the write-ahead log of the operating system before the
   * call returns: they outlive the process, however it ends.
   *
   * @throws StoreException where they cannot be written; then none is
   */
  public void write(Consumer<Batch> changes) {
    write(unsynced, changes);
  }

  /**
   * As {@link #write}, and synced to disk with all that was written before: they outlive a loss of
   * power too.
   */
  void writeSynced(Consumer<Batch> changes) {
    write(synced, changes);
  }

  private void write(WriteOptions options, Consumer<Batch> changes) {
    try (WriteBatch batch = new WriteBatch()) {
      changes.accept(new Batch(batch));
      db.write(options, batch);
    } catch (RocksDBException e) {
      throw unwritable(e);
    }
  }

  private StoreException unreadable(RocksDBException e) {
    return new StoreException(name + " cannot be read: " + e.getMessage(), e);
  }

  private StoreException unwritable(RocksDBException e) {
    return new StoreException(name + " cannot be written: " + e.getMessage(), e);
  }

  @Override
  public void close() {
    tables.values().forEach(table -> table.handle.close());
    db.close();
    synced.close();
    unsynced.close();
  }
}
