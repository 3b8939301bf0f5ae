package io.millrace.pipeline.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.client.kafka.Connection;
import io.millrace.client.process.ExitCode;
import io.millrace.client.process.NotFoundException;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.client.settings.SettingsOptions;
import io.millrace.pipeline.adapters.AdapterAudit;
import io.millrace.pipeline.settings.JobSettings;
import io.millrace.schemas.text.ShownText;
import io.millrace.svft.adapter.Adapter;
import io.millrace.svft.model.ModelException;
import io.millrace.svft.model.ModelFiles;
import io.millrace.svft.model.ModelStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Checks every published version. */
@Command(
    name = "verify",
    exitCodeOnExecutionException = ExitCode.NOT_COMPARED,
    description = {
      "Check every version: its hash, its payload, its parent, the record beside the payload, and the"
          + " base model it names.",
      "Exit code 0 where nothing is wrong, 1 where something is; 5 where they could not be checked."
    })
final class AdaptersVerifyCommand implements Callable<Integer> {
  static final List<Setting<?>> SETTINGS =
      Stream.of(Connection.SETTINGS, List.of(JobSettings.MODEL_STORE))
          .<Setting<?>>flatMap(List::stream)
          .toList();

  @Option(names = "--domain", paramLabel = "D", description = "This domain's only.")
  private String domain;

  @Option(
      names = "--payload",
      paramLabel = "FILE.safetensors",
      description = "Check the adapter in this file instead.")
  private Path payload;

  @Mixin private final AdapterSource source = new AdapterSource();

  @Mixin private final Output output = new Output();

  @Mixin private final SettingsOptions options = new SettingsOptions(SETTINGS);

  @Spec private CommandSpec spec;

  /** For {@code --json}. */
  private final ObjectNode result = Json.object();

  @Override
  public Integer call() {
    Settings settings = options.load();
    Bases bases = new Bases(Path.of(JobSettings.modelStore(settings)));
    result.putArray("domains");
    result.putArray("strays");
    boolean sound = payload == null ? log(settings, bases) : file(bases);
    bases.notes.forEach(output::say);
    bases.notes.forEach(result.putArray("notes")::add);
    result.put("sound", sound);
    output.json(() -> result);
    return sound ? ExitCode.DONE : ExitCode.MISMATCH;
  }

  private boolean log(Settings settings, Bases bases) {
    AdapterAudit audit = new AdapterAudit(bases);
    List<String> others = new ArrayList<>();
    source.read(
        settings,
        spec.commandLine().getErr(),
        log -> {
          log.forEach(
              logged -> {
                if (domain == null || logged.domain().equals(domain)) {
                  audit.add(logged);
                } else if (!others.contains(logged.domain())) {
                  others.add(logged.domain());
                }
              });
          return audit;
        });
    List<AdapterAudit.Domain> domains = audit.domains();
    if (domain != null && domains.isEmpty()) {
      throw new NotFoundException(
          others.isEmpty()
              ? "no adapters are published"
              : "no adapters of the domain \"%s\"; there are %s"
                  .formatted(
                      ShownText.of(domain),
                      AdapterSource.sample(others.stream().map(ShownText::of).sorted().toList())));
    }
    boolean sound = audit.strays().isEmpty();
    for (AdapterAudit.Domain each : domains) {
      sound &= each.faults().isEmpty();
      output.say(summary(each));
      each.faults().forEach(fault -> output.say("  " + ShownText.of(fault)));
      json(each.name(), each.checked(), each.faults());
    }
    audit.strays().forEach(stray -> output.say("  " + ShownText.of(stray)));
    audit.strays().forEach(result.withArray("strays")::add);
    if (domains.isEmpty() && sound) {
      output.say("No adapters are published");
    }
    return sound;
  }

  private void json(String domain, int checked, List<String> faults) {
    ObjectNode each = result.withArray("domains").addObject();
    each.put("domain", domain).put("versions", checked);
    faults.forEach(each.putArray("faults")::add);
  }

  private static String summary(AdapterAudit.Domain domain) {
    String versions =
        switch (domain.checked()) {
          case 0 -> "no versions";
          case 1 -> "1 version checked, " + domain.last();
          default ->
              "%,d versions checked, %d to %d"
                  .formatted(domain.checked(), domain.first(), domain.last());
        };
    int faults = domain.faults().size();
    return "%s: %s: %s"
        .formatted(
            ShownText.of(domain.name()),
            versions,
            faults == 0 ? "sound" : faults == 1 ? "1 fault" : faults + " faults");
  }

  private boolean file(Bases bases) {
    source.requireAlone(payload, domain, null);
    AdapterSource.Version version = AdapterSource.file(payload);
    Optional<String> fault = bases.fault(version.adapter());
    output.say(
        "%s: %s, %s: %s"
            .formatted(
                payload, version.name(), version.sha256(), fault.isEmpty() ? "sound" : "1 fault"));
    fault.ifPresent(each -> output.say("  " + ShownText.of(each)));
    json(version.adapter().domain(), 1, fault.stream().toList());
    return fault.isEmpty();
  }

  /** Base models of the store; a model that the store lacks is noted once and not compared. */
  private static final class Bases implements AdapterAudit.BaseCheck {
    private final Path store;
    private final Map<String, Optional<ModelFiles>> opened = new HashMap<>();
    private final List<String> notes = new ArrayList<>();

    Bases(Path store) {
      this.store = store;
    }

    @Override
    public Optional<String> fault(Adapter adapter) {
      return opened
          .computeIfAbsent(adapter.baseModel(), this::open)
          .flatMap(model -> difference(adapter, model));
    }

    private static Optional<String> difference(Adapter adapter, ModelFiles model) {
      if (!adapter.baseSha256().equals(model.baseSha256())) {
        return Optional.of(
            "its base model %s is %s, the store's is %s"
                .formatted(model.name(), adapter.baseSha256(), model.baseSha256()));
      }
      if (!adapter.basisSha256().equals(model.basisSha256())) {
        return Optional.of(
            "its basis of %s is %s, the store's is %s"
                .formatted(model.name(), adapter.basisSha256(), model.basisSha256()));
      }
      return adapter.config().equals(model.config())
          ? Optional.empty()
          : Optional.of("its encoder has another shape than " + model.name() + " in the store");
    }

    private Optional<ModelFiles> open(String name) {
      // The store would import a model that it does not hold.
      if (name.contains("/") || !Files.exists(store.resolve(name).resolve("model.json"))) {
        notes.add(
            "Base model %s is not in the store %s: its hashes were not compared"
                .formatted(ShownText.of(name), store));
        return Optional.empty();
      }
      try {
        return Optional.of(new ModelStore(store).prepare(name, (model, done, total) -> {}));
      } catch (ModelException e) {
        notes.add("Base model %s was not compared: %s".formatted(name, e.getMessage()));
        return Optional.empty();
      }
    }
  }
}
