package io.millrace.inference;

import io.millrace.client.kafka.Connection;
import io.millrace.client.settings.Setting;
import io.millrace.inference.http.BearerToken;
import io.millrace.inference.http.WebAccess;
import io.millrace.inference.predict.Fallback;
import io.millrace.svft.model.ModelStore;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** The settings of a serving process. */
public final class ServingSettings {
  static final Setting<String> HOST =
      Setting.text(
          "serving.host",
          "127.0.0.1",
          "Address to listen on. Anything but a loopback address is open to the network.");

  static final Setting<Integer> PORT =
      Setting.integer(
          "serving.port", 8080, 0, 65535, "Port to listen on; 0 takes any free one. --port wins.");

  static final Setting<Integer> CONCURRENCY =
      Setting.integer(
          "serving.concurrency",
          Runtime.getRuntime().availableProcessors(),
          1,
          1024,
          "Predictions made at once.");

  static final Setting<Integer> MAX_QUEUED_REQUESTS =
      Setting.integer(
          "serving.maxQueuedRequests",
          256,
          1,
          1_000_000,
          "Requests that may wait for a prediction; more are answered 503.");

  static final Setting<Long> MAX_REQUEST_BYTES =
      Setting.bytes(
          "serving.maxRequestBytes",
          1 << 20,
          64,
          64L << 20,
          "Largest body of a request; more is answered 413.");

  static final Setting<Integer> MAX_INPUTS =
      Setting.integer(
          "serving.maxInputs",
          100,
          1,
          10_000,
          "Texts in one request for predictions; more are answered 400.");

  static final Setting<Integer> MAX_BATCH =
      Setting.integer(
          "serving.maxBatch",
          16,
          1,
          1024,
          "Texts that wait and are scored in one pass, of one domain or of several, at most.");

  static final Setting<Long> MERGED_MEMORY =
      Setting.bytes(
          "serving.mergedMemory",
          1L << 30,
          0,
          1L << 40,
          "Memory for adapters merged into the weights, which answer faster: the domains asked most"
              + " have it; 0 merges none.");

  static final Setting<Long> LOADED_MEMORY =
      Setting.bytes(
          "serving.loadedMemory",
          256L << 20,
          0,
          1L << 40,
          "Memory for adapters that are not merged, about: of more, the domains that were asked least"
              + " recently are unloaded, and loaded again when they are asked.");

  static final Setting<String> FALLBACK =
      Setting.choice(
          "serving.fallback",
          Fallback.PARENT.word(),
          Stream.of(Fallback.values()).map(Fallback::word).toList(),
          "What answers for a domain without an adapter: parent is the domain above it (a for a/b),"
              + " and where there is none the base model, which knows no labels; none answers 404.");

  static final Setting<String> TRUSTED_KEYS =
      Setting.text(
          "serving.trustedKeys",
          "",
          "Paths of Ed25519 public keys (PEM), separated by commas: a version that none of them has"
              + " signed is refused. Nothing is checked unless set.");

  static final Setting<Duration> FEEDBACK_WINDOW =
      Setting.duration(
          "serving.feedbackWindow",
          Duration.ofHours(1),
          Duration.ZERO,
          Duration.ofDays(30),
          "How long after a request was answered feedback on it is taken; none turns feedback off.");

  static final Setting<Integer> FEEDBACK_REQUESTS =
      Setting.integer(
          "serving.feedbackRequests",
          1_000_000,
          1,
          100_000_000,
          "Requests remembered for feedback; of more, the latest.");

  static final Setting<Integer> METRICS_DOMAINS =
      Setting.integer(
          "serving.metricsDomains",
          1000,
          0,
          1_000_000,
          "Domains that have series of their own at /metrics; of more, the first by name.");

  static final Setting<Boolean> PAGE =
      Setting.flag(
          "serving.page",
          true,
          "Whether this process reads what the page shows, and serves the page at /.");

  static final Setting<String> MODEL_STORE =
      Setting.text(
          "model.store",
          home().resolve("data").resolve("models").toString(),
          "Directory of the base models.");

  static final Setting<String> MODEL_NAME =
      Setting.text(
          "model.name",
          ModelStore.MINILM,
          "The base model: minilm, bge-small, the name of one in the store, or the path of a Hugging"
              + " Face directory.");

  public static final List<Setting<?>> ALL = all();

  private ServingSettings() {}

  /** The directory of this installation, which the launcher names. */
  static Path home() {
    return Path.of(System.getProperty("millrace.home", ".")).toAbsolutePath().normalize();
  }

  private static List<Setting<?>> all() {
    List<Setting<?>> all =
        new ArrayList<>(
            List.of(
                HOST,
                PORT,
                CONCURRENCY,
                MAX_QUEUED_REQUESTS,
                MAX_REQUEST_BYTES,
                MAX_INPUTS,
                MAX_BATCH,
                MERGED_MEMORY,
                LOADED_MEMORY,
                FALLBACK,
                TRUSTED_KEYS,
                FEEDBACK_WINDOW,
                FEEDBACK_REQUESTS,
                METRICS_DOMAINS,
                MODEL_STORE,
                MODEL_NAME));
    all.add(PAGE);
    all.addAll(DashboardSettings.SHARED);
    all.addAll(WebAccess.SETTINGS);
    all.addAll(BearerToken.SETTINGS);
    all.addAll(Connection.SETTINGS);
    return List.copyOf(all);
  }
}
