package io.millrace.operators;

import io.millrace.svft.AdapterMethod;
import io.millrace.svft.BaseModel;
import io.millrace.svft.ModelStore;
import io.millrace.svft.Torch;
import io.millrace.svft.TrainingSettings;
import io.millrace.svft.WeightRole;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Map;
import java.util.TreeMap;

/** The real base model, loaded once per JVM: this lease is held to its end. */
final class MiniLm {
  static final String STORE = System.getProperty("millrace.test.models");

  private static final SharedModel.Lease LEASE = lease();

  private MiniLm() {}

  static BaseModel base() {
    return LEASE.base();
  }

  /** Batches of four that wait five seconds, a version every two steps. */
  static AdaptSettings settings() {
    return settings(TrainingSettings.defaults(AdapterMethod.parse("svft:plain")), STORE);
  }

  static AdaptSettings settings(TrainingSettings training, String store) {
    return new AdaptSettings(
        training,
        4,
        Duration.ofSeconds(5),
        2,
        2,
        new TreeMap<>(Map.of("batch.size", "4")),
        store,
        ModelStore.MINILM,
        "cpu",
        1,
        "");
  }

  private static SharedModel.Lease lease() {
    try {
      return SharedModel.open(
          STORE, ModelStore.MINILM, Torch.device("cpu"), EnumSet.allOf(WeightRole.class));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
