package io.millrace.pipeline.submission;

import java.util.Collection;
import org.apache.flink.state.rocksdb.RocksDBOptionsFactory;
import org.rocksdb.ColumnFamilyOptions;
import org.rocksdb.DBOptions;

/**
 * Lets RocksDB collect more new files before it merges them with all that there is. Each checkpoint
 * makes a new file with the domains that were active, and writes what a merge has made, too: with
 * RocksDB's own four files the idle domains are written again with every fourth checkpoint. A
 * reader asks the Bloom filter of each file, so it pays little for the files.
 */
public final class FewerCompactions implements RocksDBOptionsFactory {
  private static final long serialVersionUID = 1L;

  private static final int FILES = 16;

  @Override
  public DBOptions createDBOptions(DBOptions current, Collection<AutoCloseable> handlesToClose) {
    return current;
  }

  @Override
  public ColumnFamilyOptions createColumnOptions(
      ColumnFamilyOptions current, Collection<AutoCloseable> handlesToClose) {
    // RocksDB's own triggers are 4, 20 and 36 files: writers are to wait as rarely as with these.
    return current
        .setLevel0FileNumCompactionTrigger(FILES)
        .setLevel0SlowdownWritesTrigger(5 * FILES)
        .setLevel0StopWritesTrigger(9 * FILES);
  }
}
