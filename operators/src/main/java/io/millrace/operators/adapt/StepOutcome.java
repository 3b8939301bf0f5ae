package io.millrace.operators.adapt;

import io.millrace.schemas.TrainingStep;
import io.millrace.svft.training.NonFiniteStepException;

/** What became of one domain's batch among those that are trained together. */
public sealed interface StepOutcome {
  /** The step is taken, and the domain's state is the one after it. */
  record Taken(TrainingStep step) implements StepOutcome {}

  /** Loss, gradient or update is not finite. The domain's state is as it was. */
  record NotFinite(NonFiniteStepException failure) implements StepOutcome {}
}
