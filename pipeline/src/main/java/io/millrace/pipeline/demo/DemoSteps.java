package io.millrace.pipeline.demo;

import io.millrace.pipeline.report.RunRecord;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.TrainingStep;
import java.util.ArrayList;
import java.util.List;

/**
 * What the demo needs of the steps and versions of its one domain, beside what they add up to: a
 * few bytes for each example of its stream, whose texts it holds, too.
 */
final class DemoSteps implements RunRecord.Listener {
  private int taken;
  private final List<Boolean> correct = new ArrayList<>();
  private final List<Long> trainedThrough = new ArrayList<>();
  private long trainableParameters;

  @Override
  public void took(TrainingStep step) {
    taken++;
    step.getCorrect().forEach(each -> correct.add(Boolean.valueOf(each)));
  }

  @Override
  public void took(AdapterVersion version) {
    trainedThrough.add(version.getTrainedThrough().get(0).getOffset());
    trainableParameters = version.getTrainableParameters();
  }

  /** The number of steps. */
  int taken() {
    return taken;
  }

  /** Per example in the order of training, whether it was predicted before it was trained on. */
  List<Boolean> correct() {
    return correct;
  }

  /** Of each version, from number 1: the offset of the last example that it was trained on. */
  List<Long> trainedThrough() {
    return trainedThrough;
  }

  /** Values of M of the last version. */
  long trainableParameters() {
    return trainableParameters;
  }
}
