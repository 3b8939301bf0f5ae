package io.millrace.pipeline.submission;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.testing.Await;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.rocksdb.ColumnFamilyOptions;
import org.rocksdb.DBOptions;
import org.rocksdb.FlushOptions;
import org.rocksdb.LiveFileMetaData;
import org.rocksdb.Options;
import org.rocksdb.RocksDB;
import org.rocksdb.RocksDBException;
import org.rocksdb.WriteOptions;

/** What checkpoints would write: each takes a flush, and the files that it has not seen. */
@Tag("unit")
@Timeout(60)
class FewerCompactionsTest {
  private static final int DOMAINS = 1_000;
  private static final int ACTIVE = 60;
  private static final int CHECKPOINTS = 64;
  private static final int STATE_BYTES = 1_000;

  @TempDir private Path directory;

  /** With RocksDB's own triggers it is nearly five times as much. */
  @Test
  void checkpointsWriteLittleMoreThanTheActiveDomains() throws Exception {
    RocksDB.loadLibrary();
    List<AutoCloseable> handles = new ArrayList<>();
    Set<String> uploaded = new HashSet<>();
    long written = 0;
    try (ColumnFamilyOptions columns =
            new FewerCompactions().createColumnOptions(new ColumnFamilyOptions(), handles);
        DBOptions database = new DBOptions();
        Options options = new Options(database, columns);
        WriteOptions noLog = new WriteOptions().setDisableWAL(true);
        FlushOptions flush = new FlushOptions().setWaitForFlush(true);
        RocksDB db = RocksDB.open(options.setCreateIfMissing(true), directory.toString())) {
      Random random = new Random(1);
      byte[] state = new byte[STATE_BYTES];
      for (int i = 0; i < CHECKPOINTS; i++) {
        for (int k = 0; k < ACTIVE; k++) {
          random.nextBytes(state);
          db.put(noLog, key((i * ACTIVE + k) % DOMAINS), state);
        }
        db.flush(flush);
        awaitCompactions(db);
        for (LiveFileMetaData file : db.getLiveFilesMetaData()) {
          written += uploaded.add(file.fileName()) ? file.size() : 0;
        }
      }
    }

    assertThat(handles).isEmpty();
    assertThat(written / (double) (CHECKPOINTS * ACTIVE * STATE_BYTES)).isBetween(1.0, 3.0);
  }

  private static byte[] key(int domain) {
    return ByteBuffer.allocate(2 * Integer.BYTES)
        .putInt(domain * 0x9E3779B1)
        .putInt(domain)
        .array();
  }

  private static void awaitCompactions(RocksDB db) throws Exception {
    Await.until(
        "nothing is compacted",
        () ->
            isZero(db, "rocksdb.compaction-pending")
                && isZero(db, "rocksdb.num-running-compactions"));
  }

  private static boolean isZero(RocksDB db, String property) throws RocksDBException {
    return db.getLongProperty(property) == 0;
  }
}
