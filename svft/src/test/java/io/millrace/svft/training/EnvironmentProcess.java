package io.millrace.svft.training;

import io.millrace.svft.TinyModel;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.tensor.DeviceException;
import io.millrace.svft.tensor.Kernels;
import io.millrace.svft.tensor.NativeVariables;
import io.millrace.svft.tensor.Torch;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/**
 * Prints the environment of a process, one entry per line, then the hashes of the states after
 * training steps.
 */
final class EnvironmentProcess {
  /** Precedes the hash of the state after each step. */
  static final String STATE = "state ";

  /** The system property for the number of threads; 2 unless set. */
  static final String THREADS = "millrace.test.threads";

  /** Precedes the reason for which the process cannot compute so. */
  static final String REFUSED = "refused ";

  /** The number of steps for each method. */
  static final int STEPS = 4;

  private EnvironmentProcess() {}

  /** The system property that names the kernels. */
  static final String KERNELS = "millrace.test.kernels";

  /** The system property that holds variables to set once the kernels are chosen. */
  static final String VARIABLES = "millrace.test.variables";

  /** Arguments: {@code minilm}, or an existing directory for a tiny model; then methods. */
  public static void main(String[] args) throws Exception {
    Kernels kernels = Kernels.of(System.getProperty(KERNELS, Kernels.FAST.id()));
    Torch.use(kernels);
    NativeVariables.set(System.getProperty(VARIABLES, ""));
    int threads = Integer.getInteger(THREADS, 2);
    try {
      TrainingEnvironment.describe(Torch.device("cpu"), threads, kernels)
          .forEach((key, value) -> System.out.println(key + "=" + value));
    } catch (DeviceException e) {
      System.out.println(REFUSED + e.getMessage());
      return;
    }
    List<String> methods = Arrays.asList(args).subList(1, args.length);
    try (BaseModel base = model(args[0])) {
      for (String method : methods) {
        TrainingChain.run(base, method, threads, 0, 5, STEPS)
            .forEach(hash -> System.out.println(STATE + hash));
      }
    }
  }

  private static BaseModel model(String name) throws Exception {
    if (name.equals("minilm")) {
      return TrainingChain.twoLayers();
    }
    Path own = Files.createTempDirectory(Path.of(name), "tiny");
    return BaseModel.load(TinyModel.create(own), Torch.device("cpu"));
  }
}
