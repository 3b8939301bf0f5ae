package io.millrace.svft;

import java.util.ArrayList;
import java.util.List;

/** Steps on MiniLM, each on the state the one before it gave. */
final class TrainingChain {
  private TrainingChain() {}

  /** The hash of the state after each step. */
  static List<String> run(BaseModel base, int firstSentence, int batchSize, int steps) {
    Trainer trainer = new Trainer(base, TrainingSettings.defaults(TrainingSettings.Method.SVFT));
    TrainingState state = trainer.initialState();
    List<String> hashes = new ArrayList<>();
    for (int i = 0; i < steps; i++) {
      List<TrainingExample> batch = Sentences.batch(firstSentence + i * batchSize, batchSize);
      state = trainer.step(state, batch).state();
      hashes.add(state.sha256());
    }
    return hashes;
  }

  /** Prints {@link #run}'s hashes. */
  public static void main(String[] args) {
    Torch.setThreads(1);
    try (BaseModel base = BaseModel.load(Models.miniLm(), Torch.device("cpu"))) {
      run(base, Integer.parseInt(args[0]), Integer.parseInt(args[1]), Integer.parseInt(args[2]))
          .forEach(System.out::println);
    }
  }
}
