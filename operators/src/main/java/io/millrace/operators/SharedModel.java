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
        ModelFiles files =
            new ModelStore(localStore(store, name))
                .prepare(
                    name,
                    (model, done, total) ->
                        LOG.info("Preparing {}: {} of {} matrices", model, done, total));
        entry = new Entry(BaseModel.load(files, device));
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

  private static Path localStore(String store, String name) throws IOException {
    org.apache.flink.core.fs.Path remote = new org.apache.flink.core.fs.Path(store);
    String scheme = remote.toUri().getScheme();
    if (scheme == null || scheme.equals("file")) {
      return Path.of(remote.toUri().getPath());
    }
    FileSystem fileSystem = remote.getFileSystem();
    org.apache.flink.core.fs.Path model = new org.apache.flink.core.fs.Path(remote, name);
    FileStatus[] files = fileSystem.exists(model) ? fileSystem.listStatus(model) : null;
    if (files == null || files.length == 0) {
      throw new ModelException(
          "model store %s holds no %s; prepare it in a local store and copy its folder there"
              .formatted(store, name));
    }
    Path scratch = Files.createTempDirectory("millrace-models");
    Path target = Files.createDirectory(scratch.resolve(name));
    for (FileStatus file : files) {
      try (InputStream in = fileSystem.open(file.getPath())) {
        Files.copy(in, target.resolve(file.getPath().getName()));
      }
    }
    return scratch;
  }
}
