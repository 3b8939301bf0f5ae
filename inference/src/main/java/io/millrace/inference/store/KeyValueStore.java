package io.millrace.inference.store;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BiConsumer;
import java.util.function.BiPredicate;
import java.util.function.Consumer;
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
     * The entry with the greatest key; empty where there is none.
     *
     * @throws StoreException where it cannot be read
     */
    public Optional<Map.Entry<byte[], byte[]>> last() {
      try (RocksIterator iterator = db.newIterator(handle)) {
        iterator.seekToLast();
        Optional<Map.Entry<byte[], byte[]>> last =
            iterator.isValid()
                ? Optional.of(Map.entry(iterator.key(), iterator.value()))
                : Optional.empty();
        iterator.status();
        return last;
      } catch (RocksDBException e) {
        throw unreadable(e);
      }
    }
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
