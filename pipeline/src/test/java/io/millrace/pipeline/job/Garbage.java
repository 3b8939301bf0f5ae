package io.millrace.pipeline.job;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.BatchClosedBy;
import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.OffsetRun;
import io.millrace.schemas.Topics;
import io.millrace.schemas.TrainingStep;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.EncoderFactory;
import org.apache.kafka.common.serialization.Serializer;

/** Records that nobody should have sent to {@code labeled-examples}; the same ones each time. */
final class Garbage {
  private static final int HEADER = 5;
  private static final float[] NO_WEIGHTS = {
    Float.NaN, 1e38f, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, 0f, -0f, -1f
  };
  private static final List<Consumer<LabeledExample>> BROKEN_RULES =
      List.of(
          example -> example.setText("x".repeat(64 * 1024 + 1)),
          example -> example.setLabel("x".repeat(1025)),
          example -> example.setDomain("\u20ac".repeat(86)),
          example -> example.setText(" \n\u2003"),
          example -> example.setLabel(""),
          example -> example.setDomain("\t"),
          example -> example.setText("half a text\0and another"),
          example -> example.setMetadata(Map.of("\0", "")));

  private final Random random = new Random(4);
  private final Serializer<Object> serializer;
  private final List<Supplier<Letter>> kinds =
      List.of(
          this::random,
          this::truncated,
          this::longer,
          this::unknownSchema,
          this::otherRecord,
          this::brokenRule,
          this::badWeight,
          this::empty,
          this::brokenText,
          this::hugeLength);
  private int made;

  /**
   * What is sent, and what must come of it.
   *
   * @param value null for a record without one
   * @param error what a dead letter says was wrong
   */
  record Letter(byte[] key, byte[] value, String error) {}

  /** Writes with {@code serializer} what is broken only afterwards. */
  Garbage(Serializer<Object> serializer) {
    this.serializer = serializer;
  }

  /** The next record: every kind in its turn. */
  Letter next() {
    Letter letter = kinds.get(made++ % kinds.size()).get();
    byte[] key = random.nextInt(5) == 0 ? null : bytes(random.nextInt(20));
    return new Letter(key, letter.value(), letter.error());
  }

  private static Letter letter(String error, byte[] value) {
    return new Letter(null, value, error);
  }

  private static Letter unreadable(byte[] value) {
    return letter("UnreadableRecord", value);
  }

  /** Every other one at least begins as a record should. */
  private Letter random() {
    byte[] value = bytes(random.nextInt(random.nextInt(20) == 0 ? 100_000 : 200));
    if (value.length > HEADER && random.nextBoolean()) {
      System.arraycopy(valid(), 0, value, 0, HEADER);
    }
    return unreadable(value);
  }

  private Letter truncated() {
    byte[] value = valid();
    return unreadable(Arrays.copyOf(value, random.nextInt(value.length)));
  }

  private Letter longer() {
    byte[] value = valid();
    return unreadable(Arrays.copyOf(value, value.length + 1 + random.nextInt(9)));
  }

  /** Negative numbers, 0 and the largest are among the ids. */
  private Letter unknownSchema() {
    int id =
        switch (random.nextInt(8)) {
          case 0 -> 0;
          case 1 -> -1;
          case 2 -> Integer.MIN_VALUE;
          case 3 -> Integer.MAX_VALUE;
          case 4 -> 1000 + random.nextInt(10);
          default -> random.nextInt() | 1 << 20;
        };
    return unreadable(ByteBuffer.wrap(valid()).putInt(1, id).array());
  }

  private Letter otherRecord() {
    return unreadable(
        random.nextBoolean()
            ? serializer.serialize(Topics.TRAINING_STEPS, step())
            : serializer.serialize(Topics.ADAPTERS, version()));
  }

  private Letter brokenRule() {
    int rule = random.nextInt(BROKEN_RULES.size());
    String error =
        List.of(
                "TextTooLarge",
                "LabelTooLarge",
                "DomainTooLarge",
                "BlankText",
                "BlankLabel",
                "BlankDomain",
                "NulCharacter",
                "NulCharacter")
            .get(rule);
    return letter(error, written(BROKEN_RULES.get(rule)));
  }

  private Letter badWeight() {
    float weight = NO_WEIGHTS[random.nextInt(NO_WEIGHTS.length)];
    return letter("BadWeight", written(example -> example.setWeight(weight)));
  }

  private Letter empty() {
    return letter("EmptyRecord", null);
  }

  /** A byte that no UTF-8 has, in the middle of the text. */
  private Letter brokenText() {
    byte[] value = written(example -> example.setText("@".repeat(40)));
    for (int i = 0; i < value.length - 20; i++) {
      if (value[i] == '@' && value[i + 20] == '@') {
        value[i + 10] = (byte) 0xff;
        return unreadable(value);
      }
    }
    throw new IllegalStateException("the text is not there");
  }

  /** A string, or a map, that says it is longer than any record can be; or shorter than nothing. */
  private Letter hugeLength() {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.write(valid(), 0, HEADER);
    BinaryEncoder encoder = EncoderFactory.get().directBinaryEncoder(out, null);
    long[] lengths = {Long.MAX_VALUE, Long.MIN_VALUE, -1, Integer.MAX_VALUE, 1L << 40};
    try {
      if (random.nextBoolean()) {
        for (String field : List.of("id", "domain", "text", "label")) {
          encoder.writeString(field);
        }
        encoder.writeIndex(0);
        encoder.writeFloat(1);
      }
      encoder.writeLong(lengths[random.nextInt(lengths.length)]);
      encoder.writeString("and that was all");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return unreadable(out.toByteArray());
  }

  private byte[] valid() {
    return written(example -> {});
  }

  private byte[] written(Consumer<LabeledExample> change) {
    LabeledExample example =
        new LabeledExample("g", "garbage", "Never to be read.", "none", null, 1f, Map.of("a", "b"));
    change.accept(example);
    return serializer.serialize(Topics.LABELED_EXAMPLES, example);
  }

  private byte[] bytes(int length) {
    byte[] bytes = new byte[length];
    random.nextBytes(bytes);
    return bytes;
  }

  private static TrainingStep step() {
    return TrainingStep.newBuilder()
        .setDomain("garbage")
        .setStep(1)
        .setClosedBy(BatchClosedBy.COUNT)
        .setBatch(List.of(new OffsetRun(0, 0L, 1)))
        .setCorrect(List.of(true))
        .setLoss(1)
        .setStateSha256("ab".repeat(32))
        .setStepMillis(1)
        .setFinishedAt(Instant.ofEpochMilli(0))
        .build();
  }

  private static AdapterVersion version() {
    return AdapterVersion.newBuilder()
        .setDomain("garbage")
        .setVersion(1)
        .setSha256("ab".repeat(32))
        .setParentSha256(null)
        .setBaseModel("minilm")
        .setBaseSha256("cd".repeat(32))
        .setBasisSha256("ef".repeat(32))
        .setMethod("svft")
        .setPattern("plain")
        .setTrainableParameters(1)
        .setLabels(List.of("none"))
        .setSteps(1)
        .setExamples(1)
        .setTrainedThrough(List.of())
        .setPayload(ByteBuffer.wrap("no tensors".getBytes(UTF_8)))
        .setCreatedAt(Instant.ofEpochMilli(0))
        .build();
  }
}
