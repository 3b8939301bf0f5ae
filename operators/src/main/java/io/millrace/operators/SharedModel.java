package io.millrace.operators;

import ai.djl.Device;
import io.millrace.svft.BaseModel;
import io.millrace.svft.ModelException;
import io.millrace.svft.ModelFiles;
import io.millrace.svft.ModelStore;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.core.fs.FileStatus;
import org.apache.flink.core.fs.FileSystem;
import org.apache.flink.util.FileUtils;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The base models of this process: one copy per model and device, shared by all slots.
 *
 * <p>Whoever opens a lease closes it; the last one frees the memory, on a GPU the device's.
 */
final class SharedModel {
  private static final Logger LOG = LoggerFactory.getLogger(SharedModel.class);

  private record Key(String store, String name, Device device) {}

  private static final class Entry {
    final BaseModel base;
    int leases;

    Entry(BaseModel base) {
      this.base = base;
    }
  }

  // The one piece of static mutable state: slots of a task manager share nothing else.
  private static final Map<Key, Entry> LOADED = new HashMap<>();

  private SharedModel() {}

  /** A share in a loaded model. */
  static final class Lease implements AutoCloseable {
    private final Key key;
    private final BaseModel base;
    private boolean open = true;

    private Lease(Key key, BaseModel base) {
      this.key = key;
      this.base = base;
    }

    BaseModel base() {
      return base;
    }

    @Override
    public void close() {
      synchronized (LOADED) {
        Entry entry = LOADED.get(key);
        if (open && --entry.leases == 0) {
          LOADED.remove(key);
          entry.base.close();
          LOG.info("Freed base model {} on {}", key.name(), key.device());
        }
        open = false;
      }
    }
  }

  /**
   * @param store a path, or the URI of a Flink file system that holds prepared models
   */
  static Lease open(String store, String name, Device device) throws IOException {
    Key key = new Key(store, name, device);
    synchronized (LOADED) {
      Entry entry = LOADED.get(key);
      if (entry == null) {
        LOG.info("Loading base model {} from {} on {}", name, store, device);
        entry = new Entry(load(store, name, device));
        LOADED.put(key, entry);
      }
      entry.leases++;
      return new Lease(key, entry.base);
    }
  }

  /** How many models this process holds: 0 once every lease is closed. */
  static int loaded() {
    synchronized (LOADED) {
      return LOADED.size();
    }
  }

  private static BaseModel load(String store, String name, Device device) throws IOException {
    org.apache.flink.core.fs.Path path = new org.apache.flink.core.fs.Path(store);
    String scheme = path.toUri().getScheme();
    if (scheme == null || scheme.equals("file")) {
      return load(Path.of(path.toUri().getPath()), name, device);
    }
    Path copy = Files.createTempDirectory("millrace-models");
    try {
      copyModel(path, name, copy);
      return load(copy, name, device);
    } finally {
      FileUtils.deleteDirectory(copy.toFile());
    }
  }

  private static BaseModel load(Path store, String name, Device device) {
    ModelFiles files =
        new ModelStore(store)
            .prepare(
                name,
                (model, done, total) ->
                    LOG.info("Preparing {}: {} of {} matrices", model, done, total));
    return BaseModel.load(files, device);
  }

  private static void copyModel(org.apache.flink.core.fs.Path store, String name, Path to)
      throws IOException {
    FileSystem fileSystem = store.getFileSystem();
    org.apache.flink.core.fs.Path model = new org.apache.flink.core.fs.Path(store, name);
    FileStatus[] files = fileSystem.exists(model) ? fileSystem.listStatus(model) : null;
    if (files == null || files.length == 0) {
      throw new ModelException(
          "model store %s holds no %s; prepare it in a local store and copy its folder there"
              .formatted(store, name));
    }
    Path target = Files.createDirectory(to.resolve(name));
    for (FileStatus file : files) {
      try (InputStream in = fileSystem.open(file.getPath())) {
        Files.copy(in, target.resolve(file.getPath().getName()));
      }
    }
  }
}
