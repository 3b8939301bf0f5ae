package io.millrace.pipeline.cli;

import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.console.Progress;
import io.millrace.pipeline.settings.JobSettings;
import io.millrace.svft.model.ModelException;
import io.millrace.svft.model.ModelFiles;
import io.millrace.svft.model.ModelStore;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Optional;

/** Prepares the base model before a job needs it, with a progress bar. */
final class BaseModels {
  private BaseModels() {}

  /**
   * @throws UsageException if the settings name a model that is not available
   */
  static ModelFiles prepare(Settings settings) {
    return prepare(settings.get(JobSettings.MODEL_NAME), settings);
  }

  /**
   * The base model where the store is a directory here that holds it; nothing is prepared. A broken
   * one is found by who loads it.
   */
  static Optional<ModelFiles> find(Settings settings) {
    String store = JobSettings.modelStore(settings);
    try {
      return new ModelStore(Path.of(store)).find(settings.get(JobSettings.MODEL_NAME));
    } catch (ModelException | InvalidPathException e) {
      return Optional.empty();
    }
  }

  /**
   * @param settings declare where models lie
   * @throws UsageException where there is no such model
   */
  static ModelFiles prepare(String name, Settings settings) {
    try (Progress progress = Progress.start("Factorising " + name + ", once", -1, "matrices")) {
      return new ModelStore(Path.of(JobSettings.modelStore(settings)))
          .prepare(
              name,
              (model, done, total) -> {
                synchronized (progress) {
                  progress.at(done, "of " + total);
                }
              });
    } catch (ModelException e) {
      throw new UsageException(e.getMessage(), e);
    }
  }
}
