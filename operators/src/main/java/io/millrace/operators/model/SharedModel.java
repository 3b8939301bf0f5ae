package io.millrace.operators.model;

import ai.djl.Device;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.ModelException;
import io.millrace.svft.model.ModelFiles;
import io.millrace.svft.model.ModelStore;
import io.millrace.svft.model.WeightRole;
import io.millrace.svft.tensor.Kernels;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import org.apache.flink.core.fs.FileStatus;
import org.apache.flink.core.fs.FileSystem;
import org.apache.flink.util.FileUtils;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The base models of this process: one copy per model and device, shared by all slots.
 *
 * <p>Each caller closes the lease that it opened. The last lease to close frees the model's memory,
 * on a GPU the device's. Any thread may open and close leases.
 */
public final class SharedModel {
  private static final Logger LOG = LoggerFactory.getLogger(SharedModel.class);

  private record Key(
      org.apache.flink.core.fs.Path store,
      String name,
      Device device,
      Set<WeightRole> factored,
      Kernels kernels) {}

  private static final class Entry {
    final BaseModel base;
    int leases;

    Entry(BaseModel base) {
      this.base = base;
    }
  }

  // Static because the slots of a task manager share nothing else. The leases own its entries.
  private static final Map<Key, Entry> LOADED = new HashMap<>();

  private SharedModel() {}

  /** A share in a loaded model. */
  public static final class Lease implements AutoCloseable {
    private final Key key;
    private final BaseModel base;
    private boolean open = true;

    private Lease(Key key, BaseModel base) {
      this.key = key;
      this.base = base;
    }

    /** The model; valid while the lease is open. */
    public BaseModel base() {
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
   * Opens a lease on a model, and loads the model where this process does not hold it yet.
   *
   * @param store a path, or the URI of a Flink file system that holds prepared models
   * @param factored the weights to hold as their singular factors: see {@link BaseModel#load}
   * @param kernels what steps compute with
   * @throws ModelException where the store does not hold the model, or the model is damaged
   * @throws IOException where the store cannot be read
   */
  public static Lease open(
      String store, String name, Device device, Set<WeightRole> factored, Kernels kernels)
      throws IOException {
    Key key = new Key(location(store), name, device, factored, kernels);
    synchronized (LOADED) {
      Entry entry = LOADED.get(key);
      if (entry == null) {
        LOG.info("Loading base model {} from {} on {}", name, key.store(), device);
        entry = new Entry(load(key));
        LOADED.put(key, entry);
      }
      entry.leases++;
      return new Lease(key, entry.base);
    }
  }

  /** Number of models that this process holds: 0 once every lease is closed. */
  public static int loaded() {
    synchronized (LOADED) {
      return LOADED.size();
    }
  }

  /**
   * A store's location in one spelling: the same for {@code /x}, {@code /x/} and {@code file:///x}.
   */
  private static org.apache.flink.core.fs.Path location(String store) {
    org.apache.flink.core.fs.Path path = new org.apache.flink.core.fs.Path(store);
    String scheme = path.toUri().getScheme();
    if (scheme != null && !scheme.equals("file")) {
      return path;
    }
    Path local = Path.of(path.toUri().getPath()).toAbsolutePath().normalize();
    return new org.apache.flink.core.fs.Path("file", null, local.toString());
  }

  private static BaseModel load(Key key) throws IOException {
    org.apache.flink.core.fs.Path store = key.store();
    if (store.toUri().getScheme().equals("file")) {
      return load(Path.of(store.toUri().getPath()), key);
    }
    Path copy = Files.createTempDirectory("millrace-models");
    try {
      copyModel(store, key.name(), copy);
      return load(copy, key);
    } finally {
      FileUtils.deleteDirectory(copy.toFile());
    }
  }

  private static BaseModel load(Path store, Key key) {
    ModelFiles files =
        new ModelStore(store)
            .prepare(
                key.name(),
                (model, done, total) ->
                    LOG.info("Preparing {}: {} of {} matrices", model, done, total));
    return BaseModel.load(files, key.device(), key.factored(), key.kernels());
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
