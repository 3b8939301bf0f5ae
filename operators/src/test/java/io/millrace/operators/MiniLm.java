package io.millrace.operators;

import io.millrace.operators.adapt.AdaptSettings;
import io.millrace.operators.adapt.DomainRules;
import io.millrace.operators.adapt.DomainSettings;
import io.millrace.operators.adapt.InitFrom;
import io.millrace.operators.model.SharedModel;
import io.millrace.operators.model.TaskDevice;
import io.millrace.schemas.RolloutPolicy;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.ModelStore;
import io.millrace.svft.model.WeightRole;
import io.millrace.svft.tensor.Kernels;
import io.millrace.svft.tensor.Torch;
import io.millrace.svft.training.TrainingSettings;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Map;
import java.util.TreeMap;

/** The real base model, loaded once per JVM: this lease is held to its end. */
public final class MiniLm {
  public static final String STORE = System.getProperty("millrace.test.models");

  private static final SharedModel.Lease LEASE = lease();

  private MiniLm() {}

  public static BaseModel base() {
    return LEASE.base();
  }

  /** Batches of four that wait five seconds, a version every two steps. */
  public static AdaptSettings settings() {
    return settings(TrainingSettings.defaults(AdapterMethod.parse("svft:plain")), STORE);
  }

  /** The same with other limits. */
  public static AdaptSettings settings(AdaptSettings.Limits limits) {
    return settings(TrainingSettings.defaults(AdapterMethod.parse("svft:plain")), STORE, limits);
  }

  /** The same with groups. */
  public static AdaptSettings settings(AdaptSettings.Groups groups) {
    return settings(4, groups, AdaptSettings.Limits.DEFAULT);
  }

  /** The same with batches of another size. */
  public static AdaptSettings settings(
      int batchSize, AdaptSettings.Groups groups, AdaptSettings.Limits limits) {
    return settings(
        TrainingSettings.defaults(AdapterMethod.parse("svft:plain")),
        STORE,
        batchSize,
        limits,
        groups);
  }

  public static AdaptSettings settings(TrainingSettings training, String store) {
    return settings(training, store, AdaptSettings.Limits.DEFAULT);
  }

  public static AdaptSettings settings(
      TrainingSettings training, String store, AdaptSettings.Limits limits) {
    return settings(training, store, 4, limits, AdaptSettings.Groups.NONE);
  }

  private static AdaptSettings settings(
      TrainingSettings training,
      String store,
      int batchSize,
      AdaptSettings.Limits limits,
      AdaptSettings.Groups groups) {
    return new AdaptSettings(
        new DomainRules(
            new DomainSettings(
                training,
                batchSize,
                Duration.ofSeconds(5),
                2,
                2,
                new TreeMap<>(Map.of("batch.size", "4")),
                InitFrom.PARENT,
                RolloutPolicy.LATEST)),
        store,
        ModelStore.MINILM,
        new TaskDevice("cpu", Kernels.FAST),
        1,
        "",
        limits,
        groups,
        0);
  }

  private static SharedModel.Lease lease() {
    try {
      return SharedModel.open(
          STORE,
          ModelStore.MINILM,
          Torch.device("cpu"),
          EnumSet.allOf(WeightRole.class),
          Kernels.FAST);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
