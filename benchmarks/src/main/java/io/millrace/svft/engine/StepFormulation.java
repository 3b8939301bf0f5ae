package io.millrace.svft.engine;

import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.training.Trainer;
import io.millrace.svft.training.TrainingExample;
import io.millrace.svft.training.TrainingState;
import java.util.List;

/** One way to compute what a training step needs; all ways give the same numbers. */
interface StepFormulation extends AutoCloseable {
  /** The formulations of {@link AutogradFormulation}, by name; any other name is a method's. */
  static StepFormulation of(String name, BaseModel base, int threads) {
    return AutogradFormulation.NAMES.contains(name)
        ? new AutogradFormulation(name, base, threads)
        : new SlicedFormulation(base, AdapterMethod.parse(name), threads);
  }

  /** The method that a formulation trains. */
  static AdapterMethod method(String name) {
    if (!AutogradFormulation.NAMES.contains(name)) {
      return AdapterMethod.parse(name);
    }
    return AdapterMethod.parse(AutogradFormulation.method(name));
  }

  /** Loss, logits and gradients of a batch; ids are its tokens. */
  Trainer.Gradients gradients(TrainingState state, List<TrainingExample> batch, long[][] ids);

  /**
   * The forward pass alone, keeping nothing for a backward pass.
   *
   * @return [sequences, hidden]
   */
  float[][] embed(TrainingState state, long[][] ids);

  @Override
  void close();
}
