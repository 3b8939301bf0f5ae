package io.millrace.benchmarks.serving;

import io.millrace.schemas.AdapterVersion;
import io.millrace.svft.adapter.Adapter;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderWeight;
import io.millrace.svft.tensor.Sha256;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** Versions that no training made, for measuring what serves them: each with other numbers. */
final class SyntheticVersions {
  private static final List<String> LABELS = List.of("a", "b", "c", "d", "e");
  private static final double M_SCALE = 0.05;
  private static final double HEAD_SCALE = 0.2;

  private SyntheticVersions() {}

  /**
   * A chain of versions, each the child of the one before.
   *
   * @param method {@code svft:plain}, or {@code head} for the base model as it is
   */
  static List<AdapterVersion> chain(BaseModel base, String method, String domain, int count) {
    List<AdapterVersion> chain = new ArrayList<>();
    String parent = "";
    for (int version = 1; version <= count; version++) {
      AdapterVersion next = version(base, method, domain, version, parent);
      chain.add(next);
      parent = next.getSha256();
    }
    return chain;
  }

  /**
   * One version.
   *
   * @param parent hash of the version before it; empty for none
   */
  static AdapterVersion version(
      BaseModel base, String method, String domain, int version, String parent) {
    Random random = new Random(version);
    int values =
        method.equals("head")
            ? 0
            : base.config().weights().stream().mapToInt(EncoderWeight::rank).sum();
    Adapter adapter =
        new Adapter(
            domain,
            version,
            parent,
            base.name(),
            base.baseSha256(),
            base.basisSha256(),
            AdapterMethod.parse(method),
            base.config(),
            LABELS,
            new int[0],
            numbers(random, values, M_SCALE),
            numbers(random, LABELS.size() * (base.config().hidden() + 1), HEAD_SCALE),
            version,
            16L * version);
    byte[] payload = adapter.toPayload();
    return AdapterVersion.newBuilder()
        .setDomain(domain)
        .setVersion(version)
        .setSha256(Sha256.of(payload))
        .setParentSha256(parent.isEmpty() ? null : parent)
        .setBaseModel(adapter.baseModel())
        .setBaseSha256(adapter.baseSha256())
        .setBasisSha256(adapter.basisSha256())
        .setMethod(adapter.method().id())
        .setPattern(values == 0 ? "" : "plain")
        .setTrainableParameters(adapter.trainableParameters())
        .setLabels(adapter.labels())
        .setSteps(adapter.steps())
        .setExamples(adapter.examples())
        .setTrainedThrough(List.of())
        .setPayload(ByteBuffer.wrap(payload))
        .setCreatedAt(Instant.now())
        .build();
  }

  private static float[] numbers(Random random, int count, double scale) {
    float[] numbers = new float[count];
    for (int i = 0; i < count; i++) {
      numbers[i] = (float) (random.nextGaussian() * scale);
    }
    return numbers;
  }
}
