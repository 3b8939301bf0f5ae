package io.millrace.inference;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.client.kafka.Connection;
import io.millrace.client.settings.Settings;
import io.millrace.schemas.DomainProgress;
import io.millrace.schemas.EvidenceProgress;
import io.millrace.schemas.FrozenScore;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.Topics;
import io.millrace.schemas.TrainingProgress;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.IntStream;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serializer;

/** Reports progress as the job does: at once, in no transaction. */
public final class TestProgress implements AutoCloseable {
  /** Examples of a step. */
  public static final int BATCH = 16;

  private final KafkaProducer<byte[], byte[]> producer;
  private final Serializer<Object> serializer;
  private final AtomicReference<Exception> failed = new AtomicReference<>();
  private final Map<String, TrainingProgress> last = new HashMap<>();
  private final Map<String, long[]> compared = new HashMap<>();

  public TestProgress(Settings settings) {
    Connection connection = new Connection(settings);
    this.producer =
        new KafkaProducer<>(
            connection.properties(), new ByteArraySerializer(), new ByteArraySerializer());
    this.serializer = connection.serializer();
  }

  /**
   * Reports the next step of a domain.
   *
   * @param correct how many of its {@link #BATCH} examples were predicted
   * @param frozen how many the frozen model predicted; negative where it was not asked
   */
  public void step(String domain, Instant at, long version, int correct, int frozen) {
    DomainProgress step = next(domain, at, version, correct, frozen);
    send(step);
  }

  private DomainProgress next(String domain, Instant at, long version, int correct, int frozen) {
    TrainingProgress before = last.get(domain);
    long number = before == null ? 1 : before.getStep() + 1;
    TrainingProgress training =
        training(number, at, version, correct, frozen, sums(domain, correct, frozen));
    last.put(domain, training);
    return progress(domain, at, training);
  }

  private long[] sums(String domain, int correct, int frozen) {
    long[] sums = compared.computeIfAbsent(domain, name -> new long[3]);
    if (frozen >= 0) {
      sums[0] += BATCH;
      sums[1] += correct;
      sums[2] += frozen;
    }
    return sums;
  }

  /** A step by itself. */
  public static DomainProgress progress(String domain, Instant at, TrainingProgress training) {
    return DomainProgress.newBuilder()
        .setDomain(domain)
        .setCreatedAt(at)
        .setTraining(training)
        .setEvidence(null)
        .build();
  }

  /**
   * What a step comes to.
   *
   * @param compared examples, predicted by the adapted and by the frozen model, over all steps
   */
  public static TrainingProgress training(
      long step, Instant at, long version, int correct, int frozen, long[] compared) {
    return TrainingProgress.newBuilder()
        .setStep(step)
        .setTotalExamples(step * BATCH)
        .setVersion(version)
        .setExamples(BATCH)
        .setCorrect(hits(correct))
        .setLoss(0.5)
        .setStepMillis(20)
        .setNewestExampleAt(at.minusMillis(400))
        .setCheckpointedAt(at.minusSeconds(5))
        .setFrozen(
            frozen < 0
                ? null
                : FrozenScore.newBuilder()
                    .setCorrect(hits(frozen))
                    .setLoss(0.7)
                    .setComparedExamples(compared[0])
                    .setComparedAdapted(compared[1])
                    .setComparedFrozen(compared[2])
                    .setComparedBoth(Math.min(compared[1], compared[2]))
                    .build())
        .build();
  }

  /** The first so many of a step's examples. */
  private static List<Boolean> hits(int count) {
    return IntStream.range(0, BATCH).mapToObj(i -> i < count).toList();
  }

  /** Reports how far a comparison has come. */
  public void evidence(
      String domain, long tried, long against, long examples, long wins, long losses) {
    send(
        DomainProgress.newBuilder()
            .setDomain(domain)
            .setCreatedAt(Instant.now())
            .setTraining(null)
            .setEvidence(
                EvidenceProgress.newBuilder()
                    .setWatch(false)
                    .setTried(tried)
                    .setAgainst(against)
                    .setExamples(examples)
                    .setWins(wins)
                    .setLosses(losses)
                    .setLimit(2000)
                    .build())
            .build());
  }

  /** Appends an event of a rollout at a time of its own. */
  public void event(RolloutEvent event, Instant at) {
    send(
        new ProducerRecord<>(
            Topics.ROLLOUTS,
            null,
            at.toEpochMilli(),
            event.getDomain().getBytes(UTF_8),
            serializer.serialize(Topics.ROLLOUTS, event)));
  }

  public void send(DomainProgress progress) {
    send(
        new ProducerRecord<>(
            Topics.TRAINING_PROGRESS,
            progress.getDomain().getBytes(UTF_8),
            serializer.serialize(Topics.TRAINING_PROGRESS, progress)));
  }

  /** A dead letter, as the job writes it. */
  public void deadLetter(String domain, String reason, String message, byte[] value) {
    ProducerRecord<byte[], byte[]> record =
        new ProducerRecord<>(Topics.DEAD_LETTERS, domain.getBytes(UTF_8), value);
    record
        .headers()
        .add(Topics.DEAD_LETTER_TOPIC, Topics.LABELED_EXAMPLES.getBytes(UTF_8))
        .add(Topics.DEAD_LETTER_PARTITION, "0".getBytes(UTF_8))
        .add(Topics.DEAD_LETTER_OFFSET, "17".getBytes(UTF_8))
        .add(Topics.DEAD_LETTER_ERROR_CLASS, reason.getBytes(UTF_8))
        .add(Topics.DEAD_LETTER_ERROR_MESSAGE, message.getBytes(UTF_8));
    send(record);
  }

  private void send(ProducerRecord<byte[], byte[]> record) {
    producer.send(
        record,
        (sent, failure) -> {
          if (failure != null) {
            failed.compareAndSet(null, failure);
          }
        });
  }

  /** Waits until Kafka has what was sent. */
  public void flush() {
    producer.flush();
    assertThat(failed.get()).isNull();
  }

  @Override
  public void close() {
    producer.close();
  }
}
