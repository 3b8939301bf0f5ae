package io.millrace.pipeline.submission;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.settings.JobSettings;
import io.millrace.svft.model.ModelException;
import io.millrace.svft.model.ModelFiles;
import io.millrace.svft.model.ModelStore;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Optional;
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
    String model,
    Optional<String> baseSha256,
    Optional<String> basisSha256) {
  private static final ObjectMapper JSON = new ObjectMapper();

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
          json.required("model").textValue(),
          text(json, "baseSha256"),
          text(json, "basisSha256"));
    } catch (RuntimeException e) {
      throw new IOException("not the record of a start: " + e.getMessage(), e);
    }
  }

  private static Optional<String> text(JsonNode json, String field) {
    return Optional.ofNullable(json.path(field).textValue());
  }
}
