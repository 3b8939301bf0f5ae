package io.millrace.pipeline.compare;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.millrace.client.process.CommandLines;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.input.ExampleFile;
import io.millrace.pipeline.input.ExampleLimits;
import io.millrace.pipeline.input.ExampleReader;
import io.millrace.pipeline.settings.JobSettings;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.ModelFiles;
import io.millrace.svft.model.ModelStore;
import io.millrace.svft.tensor.Kernels;
import io.millrace.svft.tensor.Torch;
import io.millrace.svft.training.TrainingSettings;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Trains one method in a process of its own, which {@link MethodProcess} starts. It prints its
 * progress on standard output and writes its {@link MethodReport} to a file.
 */
@Command(name = "compare")
public final class TrainMethod implements Callable<Integer> {
  /** The settings of a comparison: what a step depends on, and what an example may be. */
  public static final List<Setting<?>> SETTINGS =
      Stream.of(
              JobSettings.STEP,
              List.of(
                  JobSettings.BATCH_SIZE,
                  JobSettings.MODEL_STORE,
                  JobSettings.MODEL_NAME,
                  JobSettings.DEVICE,
                  JobSettings.THREADS),
              ExampleLimits.SETTINGS)
          .<Setting<?>>flatMap(List::stream)
          .toList();

  /** The prefix of a progress line: examples done, and how many were predicted right. */
  static final String PROGRESS = "progress ";

  private static final long BETWEEN_LINES_NANOS = 100_000_000;

  @Option(names = "--input", required = true)
  private Path input;

  @Option(names = "--input-sha256", required = true)
  private String inputSha256;

  @Option(names = "--method", required = true)
  private String method;

  @Option(names = "--config", required = true)
  private Path config;

  @Option(names = "--result", required = true)
  private Path result;

  private long lastLine = System.nanoTime() - BETWEEN_LINES_NANOS;

  public static void main(String[] args) {
    System.exit(CommandLines.run(new TrainMethod(), args));
  }

  @Override
  public Integer call() throws IOException {
    Settings settings = Settings.of(SETTINGS, config, List.of());
    TrainingSettings training =
        JobSettings.training(settings, ComparedMethod.parse(method).method());
    ExampleFile file = ExampleFile.open(input);
    if (!file.sha256().equals(inputSha256)) {
      throw new IllegalStateException("file " + input + " has changed since the comparison began");
    }
    ModelFiles model =
        new ModelStore(Path.of(JobSettings.modelStore(settings)))
            .prepare(settings.get(JobSettings.MODEL_NAME), (name, done, total) -> {});
    Kernels kernels = JobSettings.kernels(settings);
    Torch.use(kernels);
    try (BaseModel base =
            BaseModel.load(
                model,
                Torch.device(settings.get(JobSettings.DEVICE)),
                training.method().factored(),
                kernels);
        ExampleReader stream = new ExampleReader(file, ExampleLimits.of(settings))) {
      MethodReport report =
          MethodTraining.run(
              method,
              base,
              training,
              settings.get(JobSettings.BATCH_SIZE),
              settings.get(JobSettings.THREADS),
              stream,
              this::say);
      new ObjectMapper().writeValue(result.toFile(), report);
    }
    return 0;
  }

  private void say(long examples, long right) {
    long now = System.nanoTime();
    if (now - lastLine >= BETWEEN_LINES_NANOS) {
      lastLine = now;
      System.out.println(PROGRESS + examples + " " + right);
    }
  }
}
