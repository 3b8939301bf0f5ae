package io.millrace.inference;

import io.millrace.schemas.AdapterVersion;
import io.millrace.svft.adapter.Adapter;
import io.millrace.svft.adapter.Classifier;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderWeight;
import io.millrace.svft.model.ModelStore;
import io.millrace.svft.tensor.Sha256;
import io.millrace.svft.tensor.Torch;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;

/** Adapters for the real base model, each with other numbers than the next. */
public final class TestAdapters {
  public static final List<String> LABELS = List.of("bad", "good", "so-so");

  /** How far logits may lie apart that were computed in another order of sums. */
  public static final float ROUNDING = 5e-5f;

  private static BaseModel base;

  private TestAdapters() {}

  /** Where the tests of all modules keep their base models. */
  public static Path models() {
    return Path.of(System.getProperty("millrace.test.models"));
  }

  /** One per JVM; it ends with it. */
  public static synchronized BaseModel base() {
    if (base == null) {
      ModelStore store = new ModelStore(models());
      base =
          BaseModel.loadToPredict(
              store.prepare(ModelStore.MINILM, (model, done, total) -> {}), Torch.device("cpu"));
    }
    return base;
  }

  /** Versions 1 to {@code count} of a domain, each the child of the one before. */
  public static List<AdapterVersion> chain(String domain, int count) {
    List<AdapterVersion> versions = new ArrayList<>();
    String parent = null;
    for (int version = 1; version <= count; version++) {
      AdapterVersion next = version(domain, version, parent);
      versions.add(next);
      parent = next.getSha256();
    }
    return versions;
  }

  public static AdapterVersion version(String domain, long version, String parent) {
    return record(adapter(domain, version, parent, base().basisSha256()));
  }

  /** Whole, but trained on another basis. */
  public static AdapterVersion misfit(String domain, long version) {
    return record(adapter(domain, version, null, "0".repeat(64)));
  }

  /** What the version answers, asked without any serving between. */
  public static float[] logits(AdapterVersion version, String text) {
    Adapter adapter = Adapter.fromPayload(version.getPayload().duplicate());
    try (Classifier classifier = new Classifier(base(), adapter)) {
      return classifier.logits(List.of(text))[0];
    }
  }

  /** The base model's vector of a text: the logits of an M of zeros and a head that copies. */
  public static float[] embedding(String text) {
    Adapter like = adapter("", 1, null, base().basisSha256());
    int hidden = base().config().hidden();
    float[] head = new float[hidden * (hidden + 1)];
    IntStream.range(0, hidden).forEach(i -> head[i * (hidden + 1) + i] = 1);
    Adapter zeros =
        new Adapter(
            like.domain(),
            1,
            "",
            like.baseModel(),
            like.baseSha256(),
            like.basisSha256(),
            like.method(),
            like.config(),
            IntStream.range(0, hidden).mapToObj(i -> "number " + i).toList(),
            like.positions(),
            new float[like.values().length],
            head,
            1,
            1);
    try (Classifier classifier = new Classifier(base(), zeros)) {
      return classifier.logits(List.of(text))[0];
    }
  }

  private static Adapter adapter(String domain, long version, String parent, String basisSha256) {
    BaseModel base = base();
    Random random = new Random(31 * domain.hashCode() + version);
    return new Adapter(
        domain,
        version,
        parent == null ? "" : parent,
        base.name(),
        base.baseSha256(),
        basisSha256,
        AdapterMethod.parse("svft:plain"),
        base.config(),
        LABELS,
        new int[0],
        numbers(random, base.config().weights().stream().mapToInt(EncoderWeight::rank).sum(), 0.05),
        numbers(random, LABELS.size() * (base.config().hidden() + 1), 0.2),
        version * 10,
        version * 160);
  }

  /**
   * As {@link #version}, with one label whose logit is that multiple of its vector's first number.
   */
  public static AdapterVersion scaled(String domain, float scale, float bias) {
    Adapter like = adapter(domain, 1, null, base().basisSha256());
    float[] head = new float[base().config().hidden() + 1];
    head[0] = scale;
    head[head.length - 1] = bias;
    return record(
        new Adapter(
            domain,
            1,
            "",
            like.baseModel(),
            like.baseSha256(),
            like.basisSha256(),
            like.method(),
            like.config(),
            List.of("only"),
            like.positions(),
            like.values(),
            head,
            1,
            1));
  }

  private static float[] numbers(Random random, int count, double scale) {
    float[] numbers = new float[count];
    for (int i = 0; i < count; i++) {
      numbers[i] = (float) (random.nextGaussian() * scale);
    }
    return numbers;
  }

  static AdapterVersion record(Adapter adapter) {
    byte[] payload = adapter.toPayload();
    return AdapterVersion.newBuilder()
        .setDomain(adapter.domain())
        .setVersion(adapter.version())
        .setSha256(Sha256.of(payload))
        .setParentSha256(adapter.parentSha256().isEmpty() ? null : adapter.parentSha256())
        .setBaseModel(adapter.baseModel())
        .setBaseSha256(adapter.baseSha256())
        .setBasisSha256(adapter.basisSha256())
        .setMethod(adapter.method().id())
        .setPattern("plain")
        .setTrainableParameters(adapter.trainableParameters())
        .setLabels(adapter.labels())
        .setSteps(adapter.steps())
        .setExamples(adapter.examples())
        .setTrainedThrough(List.of())
        .setPayload(ByteBuffer.wrap(payload))
        .setCreatedAt(Instant.ofEpochMilli(1_700_000_000_000L + adapter.version()))
        .build();
  }
}
