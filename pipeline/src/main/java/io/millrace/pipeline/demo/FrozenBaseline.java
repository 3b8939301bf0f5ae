package io.millrace.pipeline.demo;

import io.millrace.client.settings.Settings;
import io.millrace.pipeline.settings.JobSettings;
import io.millrace.schemas.LabeledExample;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.method.HeadOnly;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.ModelFiles;
import io.millrace.svft.tensor.Torch;
import io.millrace.svft.training.StepResult;
import io.millrace.svft.training.Trainer;
import io.millrace.svft.training.TrainingExample;
import io.millrace.svft.training.TrainingSettings;
import io.millrace.svft.training.TrainingState;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongPredicate;

/** The frozen encoder with a trained head, on the same batches in the same order. */
final class FrozenBaseline {
  private FrozenBaseline() {}

  /**
   * @param batches sizes of the batches the stream is cut into
   * @param goOn told how many examples are done; false stops it
   * @return per example whether it was predicted before it was trained on
   * @throws InterruptedException where it was stopped
   */
  static List<Boolean> run(
      ModelFiles model,
      Settings settings,
      List<LabeledExample> stream,
      List<Integer> batches,
      LongPredicate goOn)
      throws InterruptedException {
    List<Boolean> correct = new ArrayList<>();
    AdapterMethod head = new HeadOnly();
    TrainingSettings training = JobSettings.training(settings, head);
    try (BaseModel base = BaseModel.load(model, Torch.device("cpu"), head.factored());
        Trainer trainer = new Trainer(base, training, settings.get(JobSettings.THREADS))) {
      TrainingState state = trainer.initialState();
      int at = 0;
      for (int size : batches) {
        List<TrainingExample> batch =
            stream.subList(at, at + size).stream()
                .map(e -> new TrainingExample(e.getText(), e.getLabel(), e.getWeight()))
                .toList();
        StepResult result = trainer.step(state, batch);
        state = result.state();
        for (boolean each : result.correct()) {
          correct.add(each);
        }
        at += size;
        if (!goOn.test(at)) {
          throw new InterruptedException();
        }
      }
    }
    return correct;
  }
}
