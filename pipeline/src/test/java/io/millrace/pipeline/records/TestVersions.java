package io.millrace.pipeline.records;

import io.millrace.client.kafka.Connection;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.Manifest;
import io.millrace.schemas.StreamPosition;
import io.millrace.schemas.Topics;
import io.millrace.schemas.TrainingRun;
import io.millrace.svft.adapter.Adapter;
import io.millrace.svft.method.AdapterLayout;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.method.HeadOnly;
import io.millrace.svft.method.LayerNormTuning;
import io.millrace.svft.model.Architecture;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.model.ModelFiles;
import io.millrace.svft.model.Pooling;
import io.millrace.svft.tensor.Sha256;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.utils.Utils;

/** Versions as the job publishes them, of adapters that train the head alone. */
public final class TestVersions {
  private static final EncoderConfig TINY =
      new EncoderConfig(Architecture.BERT, Pooling.MEAN, 1, 2, 1, 3, 10, 8, 0, 2, 1e-12f);

  private TestVersions() {}

  /** The first versions of a domain, each the next one's parent, on a model that nobody has. */
  public static List<AdapterVersion> chain(String domain, int count) {
    List<AdapterVersion> versions = new ArrayList<>();
    String parent = "";
    for (int version = 1; version <= count; version++) {
      float[] head = {0.5f * version, 1, -1, 2, -2, version};
      versions.add(
          record(
              adapter(
                  domain,
                  version,
                  parent,
                  "nobodys",
                  "ba".repeat(32),
                  "51".repeat(32),
                  TINY,
                  head)));
      parent = versions.get(version - 1).getSha256();
    }
    return versions;
  }

  /** The first version of a domain, of a model in the store. */
  public static AdapterVersion of(ModelFiles model, String domain) {
    float[] head = new float[2 * (model.config().hidden() + 1)];
    for (int i = 0; i < head.length; i++) {
      head[i] = (i % 7 - 3) / 10f;
    }
    return record(
        adapter(
            domain,
            1,
            "",
            model.name(),
            model.baseSha256(),
            model.basisSha256(),
            model.config(),
            head));
  }

  /** The first version of a domain that trains the layer normalisations of a model in the store. */
  public static Adapter norms(ModelFiles model, String domain) {
    return of(model, domain, new LayerNormTuning());
  }

  /** The first version of a domain that adapts the queries of a model in the store. */
  public static Adapter lora(ModelFiles model, String domain) {
    return of(model, domain, AdapterMethod.parse("lora:2;weights=query"));
  }

  private static Adapter of(ModelFiles model, String domain, AdapterMethod method) {
    Adapter head = Adapter.fromPayload(of(model, domain).getPayload());
    float[] values = new float[AdapterLayout.of(model.config(), method).size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = (i % 5 - 2) / 10f;
    }
    return new Adapter(
        domain,
        1,
        "",
        model.name(),
        model.baseSha256(),
        model.basisSha256(),
        method,
        model.config(),
        head.labels(),
        new int[0],
        values,
        head.head(),
        10,
        160);
  }

  private static Adapter adapter(
      String domain,
      long version,
      String parent,
      String model,
      String base,
      String basis,
      EncoderConfig config,
      float[] head) {
    return new Adapter(
        domain,
        version,
        parent,
        model,
        base,
        basis,
        new HeadOnly(),
        config,
        List.of("no", "yes"),
        new int[0],
        new float[0],
        head,
        10 * version,
        160 * version);
  }

  /** The record that the job publishes of an adapter. */
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
        .setMethod("head")
        .setPattern("")
        .setTrainableParameters(0)
        .setLabels(adapter.labels())
        .setSteps(adapter.steps())
        .setExamples(adapter.examples())
        .setTrainedThrough(List.of(new StreamPosition(0, 160 * adapter.version() - 1)))
        .setPayload(ByteBuffer.wrap(payload))
        .setCreatedAt(Instant.parse("2026-01-02T03:04:05Z"))
        .setManifest(manifest(adapter))
        .build();
  }

  private static Manifest manifest(Adapter adapter) {
    long firstStep = 10 * (adapter.version() - 1) + 1;
    TrainingRun run =
        new TrainingRun(firstStep, Map.of("adapter.method", "head"), Map.of("threads", "1"));
    return Manifest.newBuilder()
        .setStateSha256("5a".repeat(32))
        .setTokenizerSha256("70".repeat(32))
        .setPositionsSha256(adapter.positionsSha256())
        .setFirstStep(firstStep)
        .setRuns(List.of(run))
        .build();
  }

  /** Publishes in a transaction, and then leaves one aborted, which nobody is to see. */
  public static void publish(Connection connection, List<AdapterVersion> versions) {
    Properties properties = connection.properties();
    properties.put("transactional.id", "test-versions");
    try (KafkaProducer<byte[], byte[]> producer =
        new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer())) {
      producer.initTransactions();
      producer.beginTransaction();
      versions.forEach(version -> producer.send(message(connection, version)));
      producer.commitTransaction();
      producer.beginTransaction();
      producer.send(message(connection, chain("aborted", 1).get(0)));
      producer.flush();
      producer.abortTransaction();
    }
  }

  private static ProducerRecord<byte[], byte[]> message(
      Connection connection, AdapterVersion version) {
    return new ProducerRecord<>(
        Topics.ADAPTERS,
        Utils.toPositive(Utils.murmur2(version.getDomain().getBytes(StandardCharsets.UTF_8))) % 4,
        Topics.adapterKey(version.getDomain(), version.getVersion()),
        connection.serializer().serialize(Topics.ADAPTERS, version));
  }
}
