package io.millrace.svft.training;

import io.millrace.svft.Models;
import io.millrace.svft.Sentences;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.model.ModelFiles;
import io.millrace.svft.tensor.Torch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Training steps on MiniLM or on its first layers, each from the state of the previous one. */
public final class TrainingChain {
  private TrainingChain() {}

  /** The hash of the state after each step of the plain pattern, on one thread. */
  public static List<String> run(BaseModel base, int firstSentence, int batchSize, int steps) {
    return run(base, "svft:plain", 1, firstSentence, batchSize, steps);
  }

  /**
   * The hash of the state after each step. A gradient pattern chooses its positions at the tenth.
   */
  static List<String> run(
      BaseModel base, String method, int threads, int firstSentence, int batchSize, int steps) {
    TrainingSettings settings = TrainingSettings.defaults(AdapterMethod.parse(method));
    List<String> hashes = new ArrayList<>();
    try (Trainer trainer = new Trainer(base, settings, threads)) {
      TrainingState state = trainer.initialState();
      for (int i = 0; i < steps; i++) {
        List<TrainingExample> batch = Sentences.batch(firstSentence + i * batchSize, batchSize);
        state = trainer.step(state, batch).state();
        hashes.add(state.sha256());
      }
    }
    return hashes;
  }

  /** The first two layers of MiniLM: products of the same shapes in a third of the time. */
  static BaseModel twoLayers() {
    ModelFiles all = Models.miniLm();
    EncoderConfig full = all.config();
    EncoderConfig config =
        new EncoderConfig(
            full.architecture(),
            full.pooling(),
            2,
            full.hidden(),
            full.heads(),
            full.intermediate(),
            full.vocabulary(),
            full.maxPositions(),
            full.positionOffset(),
            full.typeVocabulary(),
            full.layerNormEps());
    return BaseModel.load(
        new ModelFiles("two layers", all.directory(), config, "", "", ""), Torch.device("cpu"));
  }

  /** Prints {@link #run}'s hashes for several methods on two layers, one after the other. */
  public static void main(String[] args) {
    try (BaseModel base = twoLayers()) {
      int[] numbers = Arrays.stream(args).limit(4).mapToInt(Integer::parseInt).toArray();
      for (String method : Arrays.asList(args).subList(4, args.length)) {
        run(base, method, numbers[0], numbers[1], numbers[2], numbers[3])
            .forEach(System.out::println);
      }
    }
  }
}
