package io.millrace.pipeline.replay;

import io.millrace.operators.adapt.DomainTrainer;
import io.millrace.pipeline.settings.RecordedSettings;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.ModelFiles;
import io.millrace.svft.model.WeightRole;
import io.millrace.svft.tensor.Kernels;
import io.millrace.svft.training.TrainingSettings;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;

/**
 * Makes trainers for recorded settings, one at a time. It keeps trainer and base model while the
 * settings stay the same. For one thread.
 */
public final class TrainerSource implements AutoCloseable {
  /** Loads base models. */
  public interface Loader {
    /**
     * @param factored the weights to hold as their singular factors
     * @param kernels what the process has to compute with
     */
    BaseModel load(ModelFiles files, Set<WeightRole> factored, Kernels kernels);
  }

  private final Function<String, ModelFiles> models;
  private final Loader loader;
  private final int threads;

  private ModelFiles files;
  private Set<WeightRole> factored;
  private BaseModel base;
  private Map<String, String> settings;
  private DomainTrainer trainer;

  /**
   * @param models the base model of a name
   * @param threads threads that share a step's work
   */
  public TrainerSource(Function<String, ModelFiles> models, Loader loader, int threads) {
    this.models = models;
    this.loader = loader;
    this.threads = threads;
  }

  /** The files of a base model in the store here. */
  ModelFiles model(String name) {
    if (files == null || !files.name().equals(name)) {
      close();
      files = models.apply(name);
    }
    return files;
  }

  /**
   * A trainer with these settings. It is valid until the next call.
   *
   * @param recorded as a manifest holds them
   */
  DomainTrainer trainer(String model, Map<String, String> recorded) {
    ModelFiles wanted = model(model);
    if (trainer != null && recorded.equals(settings)) {
      return trainer;
    }
    closeTrainer();
    TrainingSettings training = RecordedSettings.training(recorded);
    Kernels kernels = RecordedSettings.kernels(recorded);
    Set<WeightRole> needed = training.method().factored();
    if (base == null || !needed.equals(factored) || base.kernels() != kernels) {
      closeBase();
      base = loader.load(wanted, needed, kernels);
      factored = needed;
    }
    trainer = new DomainTrainer(base, training, recorded, threads);
    settings = Map.copyOf(recorded);
    return trainer;
  }

  private void closeTrainer() {
    if (trainer != null) {
      trainer.close();
      trainer = null;
    }
  }

  private void closeBase() {
    if (base != null) {
      base.close();
      base = null;
    }
  }

  @Override
  public void close() {
    closeTrainer();
    closeBase();
    files = null;
  }
}
