package io.millrace.pipeline.cli;

import com.fasterxml.jackson.databind.node.TextNode;
import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Settings;
import io.millrace.client.settings.SettingsOptions;
import io.millrace.pipeline.adapters.ExportTarget;
import io.millrace.svft.adapter.Adapter;
import io.millrace.svft.export.HuggingFaceExport;
import io.millrace.svft.export.PeftExport;
import io.millrace.svft.method.AdapterException;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.ModelException;
import io.millrace.svft.model.ModelFiles;
import io.millrace.svft.tensor.Torch;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Writes one version for other programs. */
@Command(
    name = "export",
    description = {
      "Write one version for other programs.",
      "huggingface: a directory with the adapter merged into its base model, which Hugging Face"
          + " transformers loads as it is. peft: a directory with the adapter alone, which Hugging Face"
          + " PEFT loads beside the base model; for the methods that PEFT has: lora, pissa, dora, vera,"
          + " oft, boft, hra, ia3, norms. safetensors: the version's payload, as one file."
    })
final class AdaptersExportCommand implements Callable<Integer> {
  @Option(
      names = "--domain",
      paramLabel = "D",
      description = "The domain; may be left out where there is only one.")
  private String domain;

  @Option(names = "--version", paramLabel = "N", description = "The version. Default: the newest.")
  private Long version;

  @Option(
      names = "--payload",
      paramLabel = "FILE.safetensors",
      description = "Export the adapter in this file instead.")
  private Path payload;

  @Option(
      names = "--format",
      required = true,
      paramLabel = "huggingface|peft|safetensors",
      description = "What to write.")
  private String format;

  @Option(names = "--output", required = true, paramLabel = "PATH", description = "Where to.")
  private Path place;

  @Option(names = "--force", description = "Replace an earlier export.")
  private boolean force;

  @Mixin private final AdapterSource source = new AdapterSource();

  @Mixin private final Output output = new Output();

  @Mixin
  private final SettingsOptions options = new SettingsOptions(AdaptersVerifyCommand.SETTINGS);

  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    Settings settings = options.load();
    ExportTarget target =
        switch (format) {
          case "huggingface", "peft" -> ExportTarget.directory(place, force);
          case "safetensors" -> ExportTarget.file(place, force);
          default ->
              throw new UsageException(
                  "--format: unknown format \""
                      + format
                      + "\": use huggingface, peft or safetensors");
        };
    AdapterSource.Version chosen =
        source.choose(settings, spec.commandLine().getErr(), payload, domain, version);
    try {
      switch (format) {
        case "safetensors" ->
            say(chosen, target.write(to -> Files.write(to, chosen.payload())), PAYLOAD);
        case "peft" -> {
          requireMethodOfPeft(chosen.adapter());
          say(
              chosen,
              target.write(to -> export(settings, chosen.adapter(), to, PeftExport::write)),
              PEFT);
        }
        default -> {
          Path directory =
              target.write(to -> export(settings, chosen.adapter(), to, HuggingFaceExport::write));
          say(
              chosen,
              directory,
              HuggingFaceExport.classifies(chosen.adapter().config()) ? CLASSIFIER : ENCODER);
        }
      }
    } catch (IOException e) {
      throw new IllegalStateException("cannot write " + place, e);
    }
    return 0;
  }

  /** Before the base model is prepared, which may take minutes. */
  private static void requireMethodOfPeft(Adapter adapter) {
    try {
      PeftExport.requireMethod(adapter);
    } catch (AdapterException e) {
      throw new UsageException(e.getMessage(), e);
    }
  }

  /** Writes an adapter's directory. */
  private interface Export {
    void write(BaseModel base, Adapter adapter, Path place) throws IOException;
  }

  private static void export(Settings settings, Adapter adapter, Path place, Export export)
      throws IOException {
    ModelFiles model = BaseModels.prepare(adapter.baseModel(), settings);
    try (BaseModel base = BaseModel.load(model, Torch.device("cpu"), adapter.method().factored())) {
      export.write(base, adapter, place);
    } catch (AdapterException | ModelException e) {
      throw new UsageException(e.getMessage(), e);
    }
  }

  private static final List<String> PAYLOAD =
      List.of(
          "from safetensors.numpy import load_file",
          "tensors = load_file(%s)",
          "print({name: values.shape for name, values in tensors.items()})");

  private static final List<String> CLASSIFIER =
      List.of(
          "from transformers import pipeline",
          "classify = pipeline(\"text-classification\", %s)",
          "print(classify(\"It looks very nice.\", truncation=True))");

  private static final List<String> ENCODER =
      List.of(
          "from sentence_transformers import SentenceTransformer",
          "model = SentenceTransformer(%s)",
          "print(model[0].auto_model.config.id2label[int(model.encode(\"It looks very nice.\").argmax())])");

  private static final List<String> PEFT =
      List.of(
          "from peft import PeftModel",
          "model = PeftModel.from_pretrained(base, %s)  # README.md says how base is loaded");

  private void say(AdapterSource.Version version, Path path, List<String> python)
      throws IOException {
    output.say("Wrote %s to %s (%s)".formatted(version.name(), path, size(path)));
    output.say("sha256 " + version.sha256());
    output.say("");
    output.say("Load it in Python:");
    output.say("");
    String quoted = new TextNode(path.toString()).toString();
    python.forEach(line -> output.say("  " + line.replace("%s", quoted)));
    if (Files.isDirectory(path)) {
      output.say("");
      output.say("More in " + path.resolve("README.md"));
    }
    output.json(
        () ->
            Json.object()
                .put("domain", version.adapter().domain())
                .put("version", version.adapter().version())
                .put("sha256", version.sha256())
                .put("format", format)
                .put("path", path.toString()));
  }

  private static String size(Path path) throws IOException {
    try (Stream<Path> tree = Files.walk(path)) {
      List<Path> files = tree.filter(Files::isRegularFile).toList();
      long bytes = 0;
      for (Path file : files) {
        bytes += Files.size(file);
      }
      String all = files.size() == 1 ? "" : files.size() + " files, ";
      return bytes < 1 << 20
          ? all + String.format(Locale.ROOT, "%,d bytes", bytes)
          : all + String.format(Locale.ROOT, "%,.1f MiB", bytes / (double) (1 << 20));
    }
  }
}
