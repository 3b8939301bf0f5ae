package io.millrace.pipeline.settings;

import io.millrace.client.process.Home;
import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.operators.adapt.AdaptSettings;
import io.millrace.operators.adapt.DomainPattern;
import io.millrace.operators.adapt.DomainRules;
import io.millrace.operators.adapt.DomainSettings;
import io.millrace.operators.adapt.InitFrom;
import io.millrace.operators.evidence.EvidenceRules;
import io.millrace.operators.evidence.EvidenceSettings;
import io.millrace.operators.evidence.PairedTest;
import io.millrace.operators.model.TaskDevice;
import io.millrace.schemas.RolloutPolicy;
import io.millrace.schemas.signing.AdapterSigner;
import io.millrace.schemas.signing.KeyFileException;
import io.millrace.svft.method.AdapterException;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.method.AdapterMethods;
import io.millrace.svft.method.PlainPattern;
import io.millrace.svft.method.Svft;
import io.millrace.svft.model.ModelStore;
import io.millrace.svft.task.Classification;
import io.millrace.svft.tensor.BatchLayout;
import io.millrace.svft.tensor.Kernels;
import io.millrace.svft.training.Moments;
import io.millrace.svft.training.TrainingSettings;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The settings of the job, each declared once with its default and its meaning. */
public final class JobSettings {
  private static final TrainingSettings TRAINING =
      TrainingSettings.defaults(new Svft(new PlainPattern()));

  public static final Setting<Integer> SCORING_STEPS =
      Setting.integer(
          "svft.scoringSteps",
          TRAINING.scoringSteps(),
          1,
          1_000_000,
          "Steps over which the pattern gradient sums gradients before it chooses its positions.");
  public static final Setting<Double> LEARNING_RATE =
      Setting.decimal(
          "training.learningRate",
          0,
          0,
          10,
          "AdamW's learning rate for the adapter's values. 0 is the method's own: "
              + learningRates()
              + ".");
  public static final Setting<Double> HEAD_LEARNING_RATE =
      Setting.decimal(
          "training.headLearningRate",
          TRAINING.headLearningRate(),
          0,
          10,
          "AdamW's learning rate for the head.");
  public static final Setting<Double> BETA1 =
      Setting.decimal(
          "training.beta1", TRAINING.beta1(), 0, 0.999999, "Decay of AdamW's first moment.");
  public static final Setting<Double> BETA2 =
      Setting.decimal(
          "training.beta2", TRAINING.beta2(), 0, 0.999999, "Decay of AdamW's second moment.");
  public static final Setting<Double> EPSILON =
      Setting.decimal(
          "training.epsilon",
          TRAINING.epsilon(),
          1e-16,
          1,
          "Added to the root of AdamW's second moment.");
  public static final Setting<Double> WEIGHT_DECAY =
      Setting.decimal(
          "training.weightDecay",
          TRAINING.weightDecay(),
          0,
          10,
          "AdamW's weight decay; it pulls M towards the base model.");
  public static final Setting<Integer> WARMUP_STEPS =
      Setting.integer(
          "training.warmupSteps",
          TRAINING.warmupSteps(),
          0,
          1_000_000,
          "Steps over which the rates rise from zero.");
  public static final Setting<Integer> DECAY_STEPS =
      Setting.integer(
          "training.decaySteps",
          TRAINING.decaySteps(),
          0,
          1_000_000_000,
          "The adapter's rate falls by 1 / sqrt(1 + steps / this); 0 keeps it as it is.");
  public static final Setting<Double> DECAY_FLOOR =
      Setting.decimal(
          "training.decayFloor",
          TRAINING.decayFloor(),
          0,
          1,
          "The part of the rate that it never falls below.");
  public static final Setting<Double> MAX_GRADIENT_NORM =
      Setting.decimal(
          "training.maxGradientNorm",
          TRAINING.maxGradientNorm(),
          0,
          1e9,
          "Gradients of M and of the head are scaled down to this norm; 0 leaves them.");
  public static final Setting<Integer> BATCH_SIZE =
      Setting.integer("batch.size", 16, 1, 4096, "Examples in a full batch.");
  public static final Setting<Duration> BATCH_TIMEOUT =
      Setting.duration(
          "batch.timeout",
          Duration.ofSeconds(5),
          Duration.ZERO,
          Duration.ofDays(7),
          "How long a batch waits, when the stream pauses, before it trains as it is; none: for"
              + " good.");
  public static final Setting<Boolean> ALLOW_CREATE_TIME =
      Setting.flag(
          "batch.allowCreateTime",
          false,
          "Whether submit takes a topic labeled-examples whose records its producers stamp"
              + " (message.timestamp.type=CreateTime): where their times run backwards within a"
              + " partition, batches close too early.");
  public static final Setting<Integer> PUBLISH_EVERY_STEPS =
      Setting.integer(
          "publish.everySteps", 10, 1, 1_000_000, "Training steps from one version to the next.");
  public static final Setting<Integer> SNAPSHOT_EVERY_VERSIONS =
      Setting.integer(
          "snapshot.everyVersions",
          10,
          0,
          1_000_000,
          "Versions from one snapshot of the whole training state to the next; a replay can start"
              + " there. 0 publishes none.");

  /** Its default leaves room for a dead letter's headers below the 1 MiB that Kafka takes. */
  public static final Setting<Long> RECORD_BYTES =
      Setting.bytes(
          "limits.recordBytes",
          960 << 10,
          1 << 10,
          32 << 20,
          "The longest record of labeled-examples that is trained on, key and value; of a longer one,"
              + " the dead letter holds this much.");

  public static final Setting<Integer> LABELS =
      Setting.integer(
          "limits.labels",
          AdaptSettings.Limits.DEFAULT.labels(),
          2,
          1_000_000,
          "The most labels of a domain; an example with one more is a dead letter. Each label is a row"
              + " in every version.");
  public static final Setting<Long> VERSION_BYTES =
      Setting.bytes(
          "publish.recordBytes",
          AdaptSettings.Limits.DEFAULT.versionBytes(),
          1 << 10,
          64 << 20,
          "The largest record of a version, and never more than what the topic adapters takes; a domain"
              + " that needs a larger one is set aside.");
  public static final Setting<Long> SNAPSHOT_BYTES =
      Setting.bytes(
          "snapshot.recordBytes",
          AdaptSettings.Limits.DEFAULT.snapshotBytes(),
          1 << 10,
          64 << 20,
          "The largest record of a snapshot, and never more than what the topic training-snapshots"
              + " takes; a larger one is left out.");
  public static final Setting<Duration> RETENTION =
      Setting.duration(
          "state.retention",
          Duration.ZERO,
          Duration.ZERO,
          Duration.ofDays(3650),
          "How long, by Kafka's time, a domain without a version may have no example before its state"
              + " is dropped; none: for good. A domain with a version keeps its state.");
  public static final Setting<Integer> METRICS_DOMAINS =
      Setting.integer(
          "job.metricsDomains",
          AdaptSettings.Limits.DEFAULT.metricsDomains(),
          0,
          1_000_000,
          "Domains that have metrics of their own, of each parallel operator; of more, the first.");
  public static final Setting<Double> FROZEN_SHARE =
      Setting.decimal(
          "progress.frozenShare",
          0.08,
          0,
          1,
          "Largest share of a training task's time for the frozen model, which answers the examples of a"
              + " step beside the adapted one; 1: every step is compared, 0: none.");
  public static final Setting<String> SIGNING_KEY =
      Setting.text(
          "publish.signingKey",
          "",
          "Path of the Ed25519 private key (PKCS#8, PEM) that signs versions, on every machine that"
              + " trains; not signed unless set.");
  public static final Setting<String> MODEL_STORE =
      Setting.text(
          "model.store",
          "",
          "Where base models lie: a path or the URI of a Flink file system; data/models in"
              + " Millrace's own directory unless set.");
  public static final Setting<String> MODEL_NAME =
      Setting.text(
          "model.name",
          ModelStore.MINILM,
          "The base model: minilm, bge-small, the name of one in the store, or the path of a Hugging"
              + " Face directory, which is imported.");
  public static final Setting<String> DEVICE =
      Setting.choice(
          "training.device",
          "auto",
          List.of("auto", "cpu", "gpu"),
          "Where training runs; with gpu the job asks Flink for task managers with the external"
              + " resource gpu.");
  public static final Setting<Integer> THREADS =
      Setting.integer(
          "training.threads",
          Math.min(2, Runtime.getRuntime().availableProcessors()),
          1,
          1024,
          "Threads that share a training step; its result does not depend on them.");
  public static final Setting<Integer> GROUP_TOKENS =
      Setting.integer(
          "training.groupTokens",
          AdaptSettings.Groups.DEFAULT.tokens(),
          1,
          65_536,
          "About how many tokens of several domains' closed batches train together; no result depends"
              + " on it.");
  public static final Setting<Duration> GROUP_WAIT =
      Setting.duration(
          "training.groupWait",
          AdaptSettings.Groups.DEFAULT.longestWait(),
          Duration.ZERO,
          Duration.ofSeconds(1),
          "How long a closed batch waits, at most, for batches of other domains to train with; none:"
              + " each trains as it closes.");
  public static final Setting<Integer> PARALLELISM =
      Setting.integer(
          "job.parallelism", 1, 1, 4096, "Parallel training operators; domains share them out.");
  public static final Setting<Double> SLOT_CPU_CORES =
      Setting.decimal(
          "training.slot.cpuCores", 1, 0.01, 1024, "CPU cores of a training slot with a GPU.");
  public static final Setting<Integer> SLOT_HEAP_MIB =
      Setting.integer(
          "training.slot.heapMiB", 512, 16, 1 << 20, "Java heap of a training slot with a GPU.");
  public static final Setting<Integer> SLOT_OFF_HEAP_MIB =
      Setting.integer(
          "training.slot.offHeapMiB",
          2048,
          0,
          1 << 20,
          "Native memory (libtorch) of a training slot with a GPU.");
  public static final Setting<Integer> SLOT_MANAGED_MIB =
      Setting.integer(
          "training.slot.managedMiB",
          128,
          1,
          1 << 20,
          "Managed memory (RocksDB) of a training slot with a GPU.");

  /**
   * Flink allows no shorter one. Kafka aborts a transaction after 15 minutes, and a checkpoint may
   * take ten: with a longer one its commit could come too late.
   */
  public static final Setting<Duration> CHECKPOINT_INTERVAL =
      Setting.duration(
          "checkpoint.interval",
          Duration.ofSeconds(1),
          Duration.ofMillis(10),
          Duration.ofMinutes(4),
          "From one checkpoint to the next; nothing is published between two.");

  public static final Setting<String> CHECKPOINT_DIRECTORY =
      Setting.text(
          "checkpoint.directory",
          "",
          "Where checkpoints go: a path or the URI of a Flink file system, the same for client and"
              + " cluster; data/stack/checkpoints in Millrace's own directory unless set.");
  public static final Setting<String> LOST_EXAMPLES =
      Setting.choice(
          "examples.lost",
          "fail",
          List.of("fail", "skip"),
          "What the job does where the topic no longer holds its next example: it fails, or skips to"
              + " the first one that is there.");
  public static final Setting<Duration> PARTITION_DISCOVERY =
      Setting.duration(
          "examples.partitionDiscovery",
          Duration.ofSeconds(20),
          Duration.ofMillis(100),
          Duration.ofMinutes(1),
          "How often the job looks for partitions that were added to labeled-examples; it reads one"
              + " from its beginning.");
  public static final Setting<Double> PROMOTE_ERROR =
      Setting.decimal(
          "evidence.promoteError",
          0.05,
          1e-6,
          0.5,
          "How often, at most, evidence promotes a candidate whose accuracy is lower by the margin, or"
              + " more.");
  public static final Setting<Double> ROLLBACK_ERROR =
      Setting.decimal(
          "evidence.rollbackError",
          0.05,
          1e-6,
          0.5,
          "How often, at most, evidence rolls back a candidate that is as accurate, or more.");
  public static final Setting<Double> MARGIN =
      Setting.decimal(
          "evidence.margin",
          0.05,
          0,
          0.5,
          "A candidate is promoted once the examples say that its accuracy is not lower than the stable"
              + " version's by this much (0.05: five in a hundred). With 0 it has to be higher, which"
              + " takes thousands of examples where both are good.");
  public static final Setting<Integer> EVIDENCE_LIMIT =
      Setting.integer(
          "evidence.limit",
          2000,
          1,
          1_000_000_000,
          "Labeled examples after which a candidate about which there is no answer is held for people"
              + " to decide on.");
  public static final Setting<Integer> WATCH =
      Setting.integer(
          "evidence.watch",
          500,
          0,
          1_000_000_000,
          "Labeled examples for which a promoted version is compared with the one it replaced, and"
              + " rolled back where it is worse; 0 for none.");
  public static final Setting<Double> SHARE =
      Setting.decimal(
          "evidence.share",
          0.1,
          1e-6,
          1,
          "The part of the requests that a candidate answers which evidence tries, where the rollout"
              + " names none.");
  public static final Setting<String> FIRST_POLICY =
      Setting.choice(
          "rollout.policy",
          "latest",
          List.of("latest", "canary", "manual"),
          "The policy that the job gives a domain's rollout after its first version, unless someone"
              + " has decided before.");
  public static final Setting<String> DRIFT_DETECTOR =
      Setting.choice(
          "drift.detector",
          "adwin",
          List.of("none", "adwin", "page-hinkley", "both"),
          "What notes in the rollout's log that a domain's accuracy has fallen.");
  public static final Setting<String> GROUP =
      Setting.text(
          "job.name",
          "millrace",
          "Names the job, its consumer group and its transactions; two jobs on one Kafka need two"
              + " names.");

  public static final Setting<String> KERNELS =
      Setting.choice(
          "training.kernels",
          Kernels.PACKED.id(),
          Stream.of(Kernels.values()).map(Kernels::id).toList(),
          "What PyTorch computes steps with: packed, the libraries' choice for the processor with the"
              + " base model's matrices as oneDNN reads them fastest, which takes their memory twice"
              + " more; fast, the same without packing; or portable, slower, with the same bits on"
              + " every x86-64 processor that has AVX2.");

  public static final Setting<String> LAYOUT =
      Setting.choice(
          "training.layout",
          BatchLayout.SEGMENTS.id(),
          Stream.of(BatchLayout.values()).map(BatchLayout::id).toList(),
          "How a batch is laid out for the engine: segments, which take steps of several domains at"
              + " once, or slices, as earlier releases did. Each gives bits of its own.");

  public static final Setting<Double> SAMPLE_ERRORS_BELOW =
      Setting.decimal(
          "training.sampleErrorsBelow",
          0,
          0,
          1,
          "Saves backward passes: of the examples whose label had a probability above one minus this"
              + " (0.25: above 0.75), only a sample goes through, the surer the fewer, with as much more"
              + " weight. 0: all examples. Needs training.layout=segments.");

  private static final String EXACT = "exact";
  private static final double FAST_SAMPLE_ERRORS_BELOW = 0.25;

  public static final Setting<String> PRESET =
      Setting.choice(
          "training.preset",
          EXACT,
          List.of(EXACT, "fast"),
          "Defaults of other settings: exact, or fast, which gives up little accuracy for time by "
              + SAMPLE_ERRORS_BELOW.key()
              + "="
              + FAST_SAMPLE_ERRORS_BELOW
              + ". What is set by itself wins.");

  public static final Setting<String> MOMENTS =
      Setting.choice(
          "training.moments",
          Moments.FLOAT32.id(),
          Stream.of(Moments.values()).map(Moments::id).toList(),
          "The format of AdamW's moments: float32, or bfloat16, which makes a domain's state a third"
              + " smaller.");

  public static final Setting<Double> CLASS_MEANS =
      Setting.decimal(
          "training.classMeans",
          TRAINING.classMeans(),
          0,
          1000,
          "What the mean vectors of the labels count in the head, beside what AdamW trains; 0 for"
              + " nothing, as earlier releases had it.");

  public static final Setting<InitFrom> INIT_FROM =
      Setting.ofForm(
          "training.initFrom",
          InitFrom.BASE,
          "base, parent or peft:DIRECTORY",
          InitFrom::parse,
          InitFrom::text,
          "What a new domain starts from: base, the base model; parent, the latest version of the"
              + " nearest domain above it that has one (of a for a/b); or peft:DIRECTORY, a LoRA"
              + " adapter that Hugging Face PEFT or adapters export wrote.");

  public static final Setting<Integer> PARENT_DOMAINS =
      Setting.integer(
          "training.parentDomains",
          100_000,
          1,
          10_000_000,
          "With training.initFrom=parent, the domains whose latest versions a task manager knows; of"
              + " more, those published or asked for last.");

  private static final int MOST_LOCAL_SLOTS = 32;

  /** The settings that a training step depends on, besides those of its method. */
  public static final List<Setting<?>> STEP =
      List.of(
          LEARNING_RATE,
          HEAD_LEARNING_RATE,
          BETA1,
          BETA2,
          EPSILON,
          WEIGHT_DECAY,
          WARMUP_STEPS,
          DECAY_STEPS,
          DECAY_FLOOR,
          MAX_GRADIENT_NORM,
          SCORING_STEPS,
          KERNELS,
          LAYOUT,
          MOMENTS,
          CLASS_MEANS,
          SAMPLE_ERRORS_BELOW,
          PRESET);

  /** The settings that a domain can have for itself. */
  static final List<Setting<?>> OF_A_DOMAIN =
      Stream.of(
              MethodSettings.ALL,
              STEP,
              List.of(
                  INIT_FROM,
                  BATCH_SIZE,
                  BATCH_TIMEOUT,
                  PUBLISH_EVERY_STEPS,
                  SNAPSHOT_EVERY_VERSIONS,
                  FIRST_POLICY))
          .<Setting<?>>flatMap(List::stream)
          // What computes, and how, is the same in the whole process.
          .filter(setting -> setting != KERNELS && setting != LAYOUT && setting != PRESET)
          .toList();

  /** {@link #OF_A_DOMAIN}, for some domains alone. */
  public static final Setting<String> DOMAINS =
      Setting.family(
          DomainKey.PREFIX,
          DomainKey::check,
          "A setting of some domains alone: domains.NAME.SETTING, for all below a name"
              + " domains.NAME/*.SETTING, for all domains.*.SETTING. A name wins over a prefix, a longer"
              + " prefix over a shorter one, and any of them over the setting of the job. SETTING is "
              + OF_A_DOMAIN.stream().map(Setting::key).collect(Collectors.joining(", "))
              + ".");

  private static final Setting<String> FLINK =
      Setting.handedOn(
          "flink.",
          FlinkNames::known,
          "A setting of Flink for the job; it wins over what Millrace sets.");

  /** All of them. */
  public static final List<Setting<?>> ALL =
      Stream.of(
              MethodSettings.ALL,
              STEP,
              List.of(
                  BATCH_SIZE,
                  BATCH_TIMEOUT,
                  ALLOW_CREATE_TIME,
                  PUBLISH_EVERY_STEPS,
                  SNAPSHOT_EVERY_VERSIONS,
                  DOMAINS,
                  FLINK,
                  RECORD_BYTES,
                  LABELS,
                  RETENTION,
                  METRICS_DOMAINS,
                  FROZEN_SHARE,
                  VERSION_BYTES,
                  SNAPSHOT_BYTES,
                  SIGNING_KEY,
                  MODEL_STORE,
                  MODEL_NAME,
                  DEVICE,
                  THREADS,
                  GROUP_TOKENS,
                  GROUP_WAIT,
                  INIT_FROM,
                  PARENT_DOMAINS,
                  PARALLELISM,
                  SLOT_CPU_CORES,
                  SLOT_HEAP_MIB,
                  SLOT_OFF_HEAP_MIB,
                  SLOT_MANAGED_MIB,
                  CHECKPOINT_INTERVAL,
                  CHECKPOINT_DIRECTORY,
                  LOST_EXAMPLES,
                  PARTITION_DISCOVERY,
                  PROMOTE_ERROR,
                  ROLLBACK_ERROR,
                  MARGIN,
                  EVIDENCE_LIMIT,
                  WATCH,
                  SHARE,
                  FIRST_POLICY,
                  DRIFT_DETECTOR,
                  GROUP))
          .<Setting<?>>flatMap(List::stream)
          .toList();

  private JobSettings() {}

  private static String learningRates() {
    return AdapterMethods.forms().stream()
        .map(form -> AdapterMethod.parse(form.id()))
        .filter(AdapterMethod::trains)
        .map(method -> method.id() + " " + method.learningRate())
        .collect(Collectors.joining(", "));
  }

  /**
   * The adapter method that the settings choose, for domains without one of their own.
   *
   * @throws UsageException if the settings contradict each other
   */
  public static AdapterMethod method(Settings settings) {
    return MethodSettings.method(settings);
  }

  /** The training settings that the settings choose. */
  public static TrainingSettings training(Settings settings) {
    return training(settings, method(settings));
  }

  /** As {@link #training(Settings)}, for another method than the settings name. */
  public static TrainingSettings training(Settings settings, AdapterMethod method) {
    double rate = settings.get(LEARNING_RATE);
    return new TrainingSettings(
        new Classification(),
        method,
        rate > 0 ? rate : method.learningRate(),
        settings.get(HEAD_LEARNING_RATE),
        settings.get(BETA1),
        settings.get(BETA2),
        settings.get(EPSILON),
        settings.get(WEIGHT_DECAY),
        settings.get(WARMUP_STEPS),
        settings.get(DECAY_STEPS),
        settings.get(DECAY_FLOOR),
        settings.get(MAX_GRADIENT_NORM),
        settings.get(SCORING_STEPS),
        BatchLayout.of(settings.get(LAYOUT)),
        Moments.of(settings.get(MOMENTS)),
        settings.get(CLASS_MEANS),
        sampleErrorsBelow(settings));
  }

  private static double sampleErrorsBelow(Settings settings) {
    boolean byPreset =
        !settings.get(PRESET).equals(EXACT)
            && !settings.explicit().containsKey(SAMPLE_ERRORS_BELOW.key());
    double limit = byPreset ? FAST_SAMPLE_ERRORS_BELOW : settings.get(SAMPLE_ERRORS_BELOW);
    if (limit > 0 && !settings.get(LAYOUT).equals(BatchLayout.SEGMENTS.id())) {
      throw new UsageException(
          "%s=%s needs %s=%s"
              .formatted(
                  SAMPLE_ERRORS_BELOW.key(), limit, LAYOUT.key(), BatchLayout.SEGMENTS.id()));
    }
    return limit;
  }

  /**
   * What new domains start from; of a directory the whole path, and the hash of its content.
   *
   * @throws UsageException where the directory holds no adapter of PEFT
   */
  static InitFrom initFrom(Settings settings) {
    try {
      return settings.get(INIT_FROM).pinned();
    } catch (AdapterException e) {
      throw new UsageException(INIT_FROM.key() + ": " + e.getMessage(), e);
    }
  }

  /**
   * What each domain trains with.
   *
   * @throws UsageException where settings contradict each other
   */
  public static DomainRules domains(Settings settings) {
    Map<DomainPattern, DomainSettings> rules = new TreeMap<>();
    // Of very many rules, one for each customer say, most have the same settings as others.
    Map<Map<String, String>, DomainSettings> made = new HashMap<>();
    DomainKey.rules(settings)
        .forEach(
            (pattern, own) -> {
              try {
                rules.put(pattern, made.computeIfAbsent(own.explicit(), same -> domain(own)));
              } catch (UsageException e) {
                throw new UsageException(
                    "the settings of domains %s: %s".formatted(pattern.text(), e.getMessage()), e);
              }
            });
    return new DomainRules(domain(settings), rules);
  }

  /** The canonical text of the adapter method of each pattern that is named. */
  public static Map<DomainPattern, String> methodsOfPatterns(Settings settings) {
    Map<DomainPattern, String> methods = new TreeMap<>();
    DomainKey.rules(settings)
        .forEach((pattern, own) -> methods.put(pattern, MethodSettings.method(own).spec()));
    return methods;
  }

  private static DomainSettings domain(Settings settings) {
    retention(settings);
    // Read once, so that what is recorded is what is started from.
    Settings pinned = settings.with(INIT_FROM, initFrom(settings));
    return new DomainSettings(
        training(settings),
        settings.get(BATCH_SIZE),
        settings.get(BATCH_TIMEOUT),
        settings.get(PUBLISH_EVERY_STEPS),
        settings.get(SNAPSHOT_EVERY_VERSIONS),
        RecordedSettings.of(pinned),
        pinned.get(INIT_FROM),
        RolloutPolicy.valueOf(settings.get(FIRST_POLICY).toUpperCase(Locale.ROOT)));
  }

  /** The settings of the adapt operator. */
  public static AdaptSettings adapt(Settings settings) {
    return new AdaptSettings(
        domains(settings),
        modelStore(settings),
        settings.get(MODEL_NAME),
        device(settings),
        settings.get(THREADS),
        settings.get(SIGNING_KEY),
        new AdaptSettings.Limits(
            settings.get(LABELS),
            settings.get(VERSION_BYTES),
            settings.get(SNAPSHOT_BYTES),
            settings.get(METRICS_DOMAINS),
            retention(settings)),
        new AdaptSettings.Groups(settings.get(GROUP_TOKENS), settings.get(GROUP_WAIT)),
        settings.get(FROZEN_SHARE));
  }

  /** A batch that is never closed by time would keep a domain for good. */
  private static Duration retention(Settings settings) {
    Duration retention = settings.get(RETENTION);
    Duration timeout = settings.get(BATCH_TIMEOUT);
    if (!retention.isZero() && (timeout.isZero() || timeout.compareTo(retention) > 0)) {
      throw new UsageException(
          "%s=%s needs a %s that is not longer; it is %s"
              .formatted(
                  RETENTION.key(),
                  settings.text(RETENTION),
                  BATCH_TIMEOUT.key(),
                  settings.text(BATCH_TIMEOUT)));
    }
    return retention;
  }

  private static TaskDevice device(Settings settings) {
    return new TaskDevice(settings.get(DEVICE), kernels(settings));
  }

  /** The kernels that the settings choose. */
  public static Kernels kernels(Settings settings) {
    return Kernels.of(settings.get(KERNELS));
  }

  /** The settings of the evidence operator. */
  public static EvidenceSettings evidence(Settings settings) {
    DomainRules domains = domains(settings);
    return new EvidenceSettings(
        new EvidenceRules(
            new PairedTest(
                settings.get(ROLLBACK_ERROR),
                settings.get(PROMOTE_ERROR),
                settings.get(MARGIN),
                settings.get(EVIDENCE_LIMIT)),
            settings.get(WATCH),
            settings.get(SHARE)),
        domain -> domains.of(domain).firstPolicy(),
        detectors(settings.get(DRIFT_DETECTOR)),
        new ArrayList<>(domains.methods()),
        modelStore(settings),
        settings.get(MODEL_NAME),
        device(settings),
        settings.get(METRICS_DOMAINS));
  }

  private static TreeSet<String> detectors(String choice) {
    return switch (choice) {
      case "none" -> new TreeSet<>();
      case "both" -> new TreeSet<>(EvidenceSettings.DETECTORS);
      default -> new TreeSet<>(List.of(choice));
    };
  }

  /**
   * For a job that runs on this machine: checks that it can sign versions.
   *
   * @throws UsageException where the key that is to sign versions cannot be read
   */
  public static void requireSigningKey(Settings settings) {
    String key = settings.get(SIGNING_KEY);
    try {
      if (!key.isEmpty()) {
        AdapterSigner.read(Path.of(key));
      }
    } catch (KeyFileException e) {
      throw new UsageException(SIGNING_KEY.key() + ": " + e.getMessage(), e);
    }
  }

  /**
   * For a job in a Flink of this process: the task slots that it needs. A job that lacked one would
   * wait for it for ever.
   *
   * @throws UsageException where this process cannot have such slots
   */
  public static int localSlots(Settings settings) {
    int parallelism = settings.get(PARALLELISM);
    if (parallelism > MOST_LOCAL_SLOTS) {
      throw new UsageException(
          "%s=%d: this command runs at most %d training operators, all on this machine; submit runs the job on a cluster"
              .formatted(PARALLELISM.key(), parallelism, MOST_LOCAL_SLOTS));
    }
    if (settings.get(DEVICE).equals("gpu")) {
      throw new UsageException(
          "%s=gpu asks Flink for task managers with GPUs, and this command has none: submit runs the job on a cluster, and %1$s=auto uses a GPU of this machine"
              .formatted(DEVICE.key()));
    }
    return parallelism;
  }

  /** The directory or URI of the model store. */
  public static String modelStore(Settings settings) {
    return orData(settings.get(MODEL_STORE), "models");
  }

  /** The directory or URI for the checkpoints of a submitted job. */
  public static String checkpoints(Settings settings) {
    return orData(settings.get(CHECKPOINT_DIRECTORY), "stack/checkpoints");
  }

  private static String orData(String set, String name) {
    return set.isEmpty() ? Home.data().resolve(name).toString() : set;
  }
}
