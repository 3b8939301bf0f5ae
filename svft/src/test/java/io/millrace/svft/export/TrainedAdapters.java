package io.millrace.svft.export;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.millrace.svft.adapter.Adapter;
import io.millrace.svft.adapter.Classifier;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.Architecture;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.ModelFiles;
import io.millrace.svft.model.ModelStore;
import io.millrace.svft.model.WeightRole;
import io.millrace.svft.task.Classification;
import io.millrace.svft.tensor.BatchLayout;
import io.millrace.svft.tensor.Torch;
import io.millrace.svft.training.Moments;
import io.millrace.svft.training.Trainer;
import io.millrace.svft.training.TrainingExample;
import io.millrace.svft.training.TrainingSettings;
import io.millrace.svft.training.TrainingState;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;

/** Small base models, adapters trained on them, and what their exports must predict. */
final class TrainedAdapters {
  private TrainedAdapters() {}

  static Trainer trainer(BaseModel base, String method) {
    TrainingSettings defaults = TrainingSettings.defaults(AdapterMethod.parse(method));
    return new Trainer(
        base,
        new TrainingSettings(
            new Classification(),
            defaults.method(),
            2e-2,
            5e-2,
            0.9,
            0.999,
            1e-8,
            0.01,
            0,
            0,
            0,
            0,
            2,
            BatchLayout.SEGMENTS,
            Moments.FLOAT32,
            // The tiny model's vectors hardly differ: rows from means would be large, and rounded.
            0,
            0),
        1);
  }

  /** The state after six steps. A gradient pattern scores in two of them. */
  static Adapter trained(BaseModel base, String method, int labels, List<String> texts) {
    return trained(base, method, labels, texts, 6);
  }

  static Adapter trained(BaseModel base, String method, int labels, List<String> texts, int steps) {
    try (Trainer trainer = trainer(base, method)) {
      TrainingState state = trainer.initialState();
      for (int step = 0; step < steps; step++) {
        List<TrainingExample> batch = new ArrayList<>();
        for (int i = 0; i < Math.max(labels, texts.size()); i++) {
          batch.add(new TrainingExample(texts.get(i % texts.size()), "label " + i % labels, 1));
        }
        state = trainer.step(state, batch).state();
      }
      return state.toAdapter(base, "re\"views", 7, "ab".repeat(32));
    }
  }

  /**
   * A base model of two layers of width 8: see {@link HuggingFaceDirectory}.
   *
   * @param root receives the directory {@code FAMILY-POOLING}, and the store
   * @param pooling cls or mean
   */
  static BaseModel tiny(Path root, Architecture family, String pooling, Set<WeightRole> factored)
      throws IOException {
    Path directory = root.resolve(family.id() + "-" + pooling);
    HuggingFaceDirectory.of(family)
        .file("1_Pooling/config.json", "{'pooling_mode': '" + pooling + "'}")
        .write(directory);
    return load(root, directory, factored);
  }

  /** Imports a directory into the store in {@code root}, and loads the model. */
  static BaseModel load(Path root, Path directory, Set<WeightRole> factored) {
    ModelFiles files =
        new ModelStore(root.resolve("store")).prepare(directory.toString(), (m, done, total) -> {});
    return BaseModel.load(files, Torch.device("cpu"), factored);
  }

  /** The logits and the label of each text are those of the version itself. */
  static void assertSamePredictions(
      BaseModel base, Adapter adapter, Path exported, List<String> texts) throws IOException {
    try (Classifier classifier = new Classifier(base, adapter);
        ExportedModel model = new ExportedModel(exported)) {
      float[][] expected = classifier.logits(texts);
      for (int t = 0; t < texts.size(); t++) {
        float[] row = expected[t];
        double[] wide = IntStream.range(0, row.length).mapToDouble(i -> row[i]).toArray();
        double[] actual = model.logits(texts.get(t));
        assertThat(actual).as(texts.get(t)).containsExactly(wide, within(1e-4));
        assertThat(adapter.labels().indexOf(model.label(actual))).isEqualTo(largest(row));
      }
    }
  }

  private static int largest(float[] values) {
    int best = 0;
    for (int i = 1; i < values.length; i++) {
      best = values[i] > values[best] ? i : best;
    }
    return best;
  }
}
