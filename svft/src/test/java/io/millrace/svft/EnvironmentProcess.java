package io.millrace.svft;

/** Prints a process's environment, an entry per line, then what steps come to in it. */
final class EnvironmentProcess {
  /** Stands before the hash of the state after each step. */
  static final String STATE = "state ";

  private EnvironmentProcess() {}

  public static void main(String[] args) {
    TrainingEnvironment.describe(Torch.device("cpu"), 2)
        .forEach((key, value) -> System.out.println(key + "=" + value));
    try (BaseModel base = TrainingChain.twoLayers()) {
      for (String method : args) {
        TrainingChain.run(base, method, 2, 0, 5, 4)
            .forEach(hash -> System.out.println(STATE + hash));
      }
    }
  }
}
