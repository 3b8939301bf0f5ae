package io.millrace.pipeline.submission;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Settings;
import io.millrace.operators.adapt.DomainPattern;
import io.millrace.pipeline.settings.JobSettings;
import io.millrace.svft.model.ModelException;
import io.millrace.svft.model.ModelFiles;
import io.millrace.svft.model.ModelStore;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.flink.api.common.JobID;

/**
 * One start of a job: what {@link CheckpointDirectory} keeps beside the checkpoints of that start.
 *
 * <p>Starts that go on from one another form a lineage. A lineage is named by the Flink id of its
 * first start; it begins without state, or with a branch from an older state.
 *
 * @param job the job's name
 * @param id Flink's id of this start
 * @param number counts the starts of that name in one directory, from 1
 * @param lineage Flink's id of the lineage's first start
 * @param from the checkpoint or savepoint that this start took; empty for none
 * @param at when it was submitted
 * @param method the canonical text of the adapter method, of domains without one of their own;
 *     state is bound to it
 * @param methods of the domains of each pattern that the settings name; a state's domain says which
 *     it is bound to
 * @param model name of the base model
 * @param baseSha256 the base model's hash; empty where it was not known at the submission
 * @param basisSha256 the hash of its basis; empty likewise
 */
record JobStart(
    String job,
    JobID id,
    long number,
    JobID lineage,
    Optional<String> from,
    Instant at,
    String method,
    Map<DomainPattern, String> methods,
    String model,
    Optional<String> baseSha256,
    Optional<String> basisSha256) {
  private static final ObjectMapper JSON = new ObjectMapper();

  /** Patterns that a line names. */
  private static final int MOST_NAMED = 5;

  /**
   * A start with these settings, now.
   *
   * @param start the state it takes; empty for none
   */
  static JobStart now(Settings settings, JobID id, long number, Optional<StartingState> start) {
    Optional<ModelFiles> model = model(settings);
    return new JobStart(
        settings.get(JobSettings.GROUP),
        id,
        number,
        start.flatMap(StartingState::lineage).orElse(id),
        start.map(StartingState::path),
        Instant.now(),
        method(settings),
        JobSettings.methodsOfPatterns(settings),
        settings.get(JobSettings.MODEL_NAME),
        model.map(ModelFiles::baseSha256),
        model.map(ModelFiles::basisSha256));
  }

  private static Optional<ModelFiles> model(Settings settings) {
    // A store at a URI, and a model that no one has prepared yet, are for the cluster to open.
    try {
      return new ModelStore(Path.of(JobSettings.modelStore(settings)))
          .find(settings.get(JobSettings.MODEL_NAME));
    } catch (ModelException | InvalidPathException e) {
      return Optional.empty();
    }
  }

  /** Which domains have which of the other methods, only their states say. */
  private static String method(Settings settings) {
    return JobSettings.domains(settings).others().training().method().spec();
  }

  /**
   * Checks that a job with these settings can read the state that this start has written.
   *
   * @param state names it in the message
   * @throws UsageException where it cannot
   */
  void requireReadable(Settings settings, String state) {
    String wanted = method(settings);
    if (!wanted.equals(method)) {
      throw unreadable(state, "the adapter method " + method, wanted);
    }
    Optional<ModelFiles> here = model(settings);
    String name = settings.get(JobSettings.MODEL_NAME);
    if (here.isPresent() && baseSha256.isPresent() && basisSha256.isPresent()) {
      if (!here.get().baseSha256().equals(baseSha256.get())) {
        throw unreadable(
            state, "the base model " + baseSha256.get(), name + ", " + here.get().baseSha256());
      }
      if (!here.get().basisSha256().equals(basisSha256.get())) {
        throw unreadable(
            state,
            "the singular basis " + basisSha256.get(),
            name + ", " + here.get().basisSha256());
      }
    } else if (isPlain(name) && isPlain(model) && !name.equals(model)) {
      throw unreadable(state, "the base model " + model, name);
    }
  }

  /**
   * The patterns whose domains have another method by these settings than they had by this start.
   * Which of them has state, it does not know.
   *
   * @return lines for the user; empty where there are none
   */
  List<String> changedMethods(Settings settings) {
    Map<DomainPattern, String> now = JobSettings.methodsOfPatterns(settings);
    Map<String, List<String>> changes = new TreeMap<>();
    Set<DomainPattern> patterns = new TreeSet<>(now.keySet());
    patterns.addAll(methods.keySet());
    for (DomainPattern pattern : patterns) {
      String before = of(pattern, methods, method);
      String after = of(pattern, now, method(settings));
      if (!before.equals(after)) {
        changes
            .computeIfAbsent(
                "had the adapter method %s, the settings say %s".formatted(before, after),
                change -> new ArrayList<>())
            .add(pattern.text());
      }
    }
    return changes.entrySet().stream()
        .map(
            each ->
                "Warning: domains %s %s: the job ends with the next batch of one that has state"
                    .formatted(some(each.getValue()), each.getKey()))
        .toList();
  }

  private static String of(
      DomainPattern pattern, Map<DomainPattern, String> methods, String others) {
    String method = others;
    // The most general stand first.
    for (Map.Entry<DomainPattern, String> each : methods.entrySet()) {
      method = each.getKey().covers(pattern) ? each.getValue() : method;
    }
    return method;
  }

  private static String some(List<String> patterns) {
    int more = patterns.size() - MOST_NAMED;
    return String.join(", ", patterns.subList(0, Math.min(patterns.size(), MOST_NAMED)))
        + (more > 0 ? " and %d more".formatted(more) : "");
  }

  /** A path may lead to a model that the store knows by another name. */
  private static boolean isPlain(String name) {
    return !name.contains("/");
  }

  private static UsageException unreadable(String state, String trained, String wanted) {
    return new UsageException(
        "%s was trained with %s, the settings say %s: set what it was trained with, or train everything again with --from none"
            .formatted(state, trained, wanted));
  }

  byte[] toJson() {
    ObjectNode json = JSON.createObjectNode();
    json.put("job", job);
    json.put("number", number);
    json.put("lineage", lineage.toHexString());
    json.put("from", from.orElse(null));
    json.put("startedAt", at.toString());
    json.put("method", method);
    ObjectNode ofPatterns = json.putObject("methods");
    methods.forEach((pattern, each) -> ofPatterns.put(pattern.text(), each));
    json.put("model", model);
    json.put("baseSha256", baseSha256.orElse(null));
    json.put("basisSha256", basisSha256.orElse(null));
    try {
      return JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(json);
    } catch (JsonProcessingException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * @throws IOException where it is not what {@link #toJson} gives
   */
  static JobStart fromJson(JobID id, byte[] bytes) throws IOException {
    JsonNode json = JSON.readTree(bytes);
    try {
      return new JobStart(
          json.required("job").textValue(),
          id,
          json.required("number").longValue(),
          JobID.fromHexString(json.required("lineage").textValue()),
          text(json, "from"),
          Instant.parse(json.required("startedAt").textValue()),
          json.required("method").textValue(),
          methods(json.path("methods")),
          json.required("model").textValue(),
          text(json, "baseSha256"),
          text(json, "basisSha256"));
    } catch (RuntimeException e) {
      throw new IOException("not the record of a start: " + e.getMessage(), e);
    }
  }

  /** Starts of earlier releases have none. */
  private static Map<DomainPattern, String> methods(JsonNode json) {
    Map<DomainPattern, String> methods = new TreeMap<>();
    json.fields()
        .forEachRemaining(
            each -> methods.put(new DomainPattern(each.getKey()), each.getValue().textValue()));
    return methods;
  }

  private static Optional<String> text(JsonNode json, String field) {
    return Optional.ofNullable(json.path(field).textValue());
  }
}
