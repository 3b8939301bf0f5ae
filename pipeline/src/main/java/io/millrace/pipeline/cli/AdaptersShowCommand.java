package io.millrace.pipeline.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.client.kafka.Connection;
import io.millrace.client.settings.SettingsOptions;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.Manifest;
import io.millrace.schemas.StartVersion;
import io.millrace.schemas.TrainingRun;
import io.millrace.schemas.text.ShownText;
import io.millrace.svft.adapter.Adapter;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.tensor.Safetensors;
import java.io.PrintWriter;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Shows one version. */
@Command(name = "show", description = "Show one version: what it is, its labels and its tensors.")
final class AdaptersShowCommand implements Callable<Integer> {
  private static final int NAME_WIDTH = 20;

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
      description = "Show the adapter in this file instead.")
  private Path payload;

  @Option(names = "--json", description = "As one JSON object.")
  private boolean json;

  @Mixin private final AdapterSource source = new AdapterSource();

  @Mixin private final SettingsOptions options = new SettingsOptions(Connection.SETTINGS);

  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    PrintWriter out = spec.commandLine().getOut();
    AdapterSource.Version chosen =
        source.choose(options.load(), spec.commandLine().getErr(), payload, domain, version);
    ObjectNode fields =
        chosen.record().map(AdaptersShowCommand::json).orElseGet(() -> json(chosen));
    Adapter adapter = chosen.adapter();
    fields.put("methodSettings", adapter.method().spec());
    fields.set("encoder", Json.tree(adapter.config()));
    fields.put("bytes", chosen.payload().length);
    Safetensors file = Safetensors.parse(ByteBuffer.wrap(chosen.payload()));
    ObjectNode tensors = fields.putObject("tensors");
    for (String name : file.names()) {
      tensors.put(name, file.dtype(name) + " " + Arrays.toString(file.shape(name)));
    }
    if (json) {
      Json.print(fields, out);
    } else {
      print(fields, "", NAME_WIDTH, out);
    }
    out.flush();
    return 0;
  }

  /** The fields of a record, without its payload. */
  static ObjectNode json(AdapterVersion record) {
    ObjectNode fields = Json.object();
    fields.put("domain", record.getDomain());
    fields.put("version", record.getVersion());
    fields.put("sha256", record.getSha256());
    fields.put("parentSha256", record.getParentSha256());
    fields.put("createdAt", record.getCreatedAt().toString());
    fields.put("baseModel", record.getBaseModel());
    fields.put("baseSha256", record.getBaseSha256());
    fields.put("basisSha256", record.getBasisSha256());
    fields.put("method", record.getMethod());
    fields.put("pattern", record.getPattern());
    fields.put("trainableParameters", record.getTrainableParameters());
    fields.put("steps", record.getSteps());
    fields.put("examples", record.getExamples());
    ObjectNode through = fields.putObject("trainedThrough");
    record
        .getTrainedThrough()
        .forEach(position -> through.put("" + position.getPartition(), position.getOffset()));
    record.getLabels().forEach(fields.putArray("labels")::add);
    if (record.getManifest() != null) {
      fields.set("manifest", json(record.getManifest()));
    }
    return fields;
  }

  private static ObjectNode json(Manifest manifest) {
    ObjectNode fields = Json.object();
    fields.put("stateSha256", manifest.getStateSha256());
    fields.put("tokenizerSha256", manifest.getTokenizerSha256());
    fields.put("positionsSha256", manifest.getPositionsSha256());
    fields.put("firstStep", manifest.getFirstStep());
    StartVersion from = manifest.getStartedFrom();
    if (from == null) {
      fields.putNull("startedFrom");
    } else {
      ObjectNode version = fields.putObject("startedFrom");
      version.put("domain", from.getDomain());
      version.put("version", from.getVersion());
      version.put("sha256", from.getSha256());
    }
    ArrayNode runs = fields.putArray("runs");
    for (TrainingRun run : manifest.getRuns()) {
      ObjectNode each = runs.addObject();
      each.put("firstStep", run.getFirstStep());
      each.set("settings", Json.tree(new TreeMap<>(run.getSettings())));
      each.set("environment", Json.tree(new TreeMap<>(run.getEnvironment())));
    }
    return fields;
  }

  /** The same fields of a payload alone, which holds neither the time nor the stream positions. */
  private static ObjectNode json(AdapterSource.Version version) {
    Adapter adapter = version.adapter();
    AdapterMethod method = adapter.method();
    ObjectNode fields = Json.object();
    fields.put("domain", adapter.domain());
    fields.put("version", adapter.version());
    fields.put("sha256", version.sha256());
    fields.put("parentSha256", adapter.parentSha256().isEmpty() ? null : adapter.parentSha256());
    fields.put("baseModel", adapter.baseModel());
    fields.put("baseSha256", adapter.baseSha256());
    fields.put("basisSha256", adapter.basisSha256());
    fields.put("method", method.id());
    fields.put("pattern", method.patternId());
    fields.put("trainableParameters", adapter.trainableParameters());
    fields.put("steps", adapter.steps());
    fields.put("examples", adapter.examples());
    adapter.labels().forEach(fields.putArray("labels")::add);
    return fields;
  }

  /** One field a line; the elements of a container one a line, indented. */
  private static void print(JsonNode fields, String indent, int width, PrintWriter out) {
    for (Map.Entry<String, JsonNode> field : fields.properties()) {
      String name = ShownText.of(field.getKey());
      JsonNode value = field.getValue();
      if (!value.isContainerNode()) {
        out.printf("%s%-" + width + "s %s%n", indent, name, shown(value));
        continue;
      }
      out.println(indent + name);
      String deeper = indent + "  ";
      if (value.isObject()) {
        print(value, deeper, width(value), out);
      }
      for (JsonNode each : value.isArray() ? value : List.<JsonNode>of()) {
        if (each.isObject()) {
          print(each, deeper, width(each), out);
        } else {
          out.println(deeper + shown(each));
        }
      }
    }
  }

  /** The length of the longest name and a blank. */
  private static int width(JsonNode fields) {
    return fields.properties().stream().mapToInt(e -> e.getKey().length()).max().orElse(0) + 1;
  }

  private static String shown(JsonNode value) {
    return value.isNull() || value.asText().isEmpty() ? "-" : ShownText.of(value.asText());
  }
}
