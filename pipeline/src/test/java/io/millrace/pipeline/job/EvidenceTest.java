package io.millrace.pipeline.job;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.client.kafka.Connection;
import io.millrace.client.rollout.RolloutWriter;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.TestStack;
import io.millrace.pipeline.embedded.EmbeddedFlink;
import io.millrace.pipeline.records.CommittedTopic;
import io.millrace.pipeline.report.RunRecord;
import io.millrace.pipeline.submission.FlinkJob;
import io.millrace.pipeline.submission.StartingState;
import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.RolloutAction;
import io.millrace.schemas.RolloutEvent;
import io.millrace.schemas.RolloutPolicy;
import io.millrace.schemas.Topics;
import io.millrace.schemas.VersionRef;
import io.millrace.schemas.rollout.Rollout;
import io.millrace.schemas.rollout.RolloutDecisions;
import io.millrace.schemas.rollout.RolloutHistory;
import io.millrace.testing.ApicurioRegistry;
import io.millrace.testing.Await;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.Services;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serializer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Candidates of a live job, decided on by itself: two versions in every 32 examples. */
@ExtendWith(Services.class)
@Tag("integration")
@Timeout(240)
class EvidenceTest {
  private static final String DOMAIN = "reviews";
  private static final Pattern COMPARED = Pattern.compile("examples \\(of (\\d+)\\)");

  @TempDir private Path directory;

  private final Random random = new Random(1);
  private EmbeddedFlink flink;
  private Settings settings;
  private Connection connection;
  private RolloutWriter writer;
  private FlinkJob job;
  private long sent;

  @BeforeEach
  void start(KafkaBroker kafka, ApicurioRegistry registry) throws Exception {
    Settings set =
        JobTestSettings.of(
            "batch.size=8",
            "batch.timeout=none",
            "publish.everySteps=2",
            "checkpoint.interval=200ms",
            "evidence.watch=16",
            "topics.partitions=2");
    settings = TestStack.renew(kafka, registry, set).connect(set);
    flink = EmbeddedFlink.start(directory.resolve("flink"), 0, 1);
    connection = new Connection(settings);
    writer = new RolloutWriter(connection);
    job = submit(Optional.empty());
  }

  private FlinkJob submit(Optional<StartingState> start) {
    return FlinkJob.submit(
        "127.0.0.1",
        flink.port(),
        settings,
        directory.resolve("checkpoints").toString(),
        start,
        AdaptationJob.Input.UNBOUNDED);
  }

  @AfterEach
  void stop() {
    writer.close();
    flink.close();
  }

  /** With a stop in between, before which the candidate was tried and nothing yet decided. */
  @Test
  void anHonestCandidateIsPromotedAndOneOfFlippedLabelsRolledBack() throws Exception {
    send(16, true);
    await("a version is published", history -> history.now().newest() != null);
    decide(by -> by.policy(RolloutPolicy.CANARY, 0.1));
    sendUntil("it is promoted", history -> isDecided(history, RolloutAction.PROMOTE));

    RolloutHistory honest = history();
    RolloutEvent promotion = decided(honest, RolloutAction.PROMOTE);
    assertThat(promotion.getAuthor()).isEqualTo("evidence");
    assertThat(promotion.getReason())
        .endsWith("where it differs from stable 1; error rate 0.05, margin 0.05");

    // A version that has seen more than enough; then, while nothing is tried, the wrong labels.
    send(240, true);
    awaitTrained();
    long newest = by(history()).newest();
    decide(by -> by.pin(newest));
    send(160, false);
    awaitTrained();
    Rollout pinned = history().now();
    assertThat(pinned.policy()).isEqualTo(RolloutPolicy.PINNED);
    decide(by -> by.policy(RolloutPolicy.CANARY, null));
    await("a version is tried", history -> history.now().candidate() != null);
    String savepoint = job.stop(directory.resolve("savepoints"));
    job = submit(Optional.of(StartingState.savepoint(savepoint)));
    sendUntil("it is rolled back", history -> isDecided(history, RolloutAction.ROLLBACK));

    RolloutHistory history = history();
    RolloutEvent rollback = decided(history, RolloutAction.ROLLBACK);
    assertThat(rollback.getAuthor()).isEqualTo("evidence");
    assertThat(rollback.getVersion()).isEqualTo(pinned.stable().orElseThrow());
    assertThat(rollback.getReason())
        .startsWith("candidate " + pinned.newest().getVersion() + " was right on ");
    assertThat(compared(rollback)).isLessThanOrEqualTo(300);
    assertThat(history.entries())
        .filteredOn(entry -> entry.after().candidate() != null)
        .isNotEmpty()
        .allMatch(entry -> entry.after().share() == 0.1);
    assertThat(history.entries())
        .as("the log, which people read")
        .anyMatch(
            entry ->
                entry.event().getAction() == RolloutAction.DRIFT
                    && entry.event().getReason().startsWith("accuracy fell from "));
  }

  private static long compared(RolloutEvent decision) {
    Matcher matcher = COMPARED.matcher(decision.getReason());
    assertThat(matcher.find()).as(decision.getReason()).isTrue();
    return Long.parseLong(matcher.group(1));
  }

  private static boolean isDecided(RolloutHistory history, RolloutAction action) {
    return history.entries().stream().anyMatch(entry -> isEffective(entry, action));
  }

  private static boolean isEffective(RolloutHistory.Entry entry, RolloutAction action) {
    return entry.event().getAction() == action && entry.objection() == null;
  }

  private static RolloutEvent decided(RolloutHistory history, RolloutAction action) {
    return history.entries().stream()
        .filter(entry -> isEffective(entry, action))
        .map(RolloutHistory.Entry::event)
        .findFirst()
        .orElseThrow();
  }

  /** What people ask for, on top of what they see; again where somebody else was first. */
  private void decide(Asked asked) throws Exception {
    while (true) {
      RolloutEvent event = asked.of(by(history()).decisions());
      writer.append(event).get();
      await("the decision is in the log", history -> history.find(event.getEventId()).isPresent());
      if (history().find(event.getEventId()).orElseThrow().objection() == null) {
        return;
      }
    }
  }

  private interface Asked {
    RolloutEvent of(RolloutDecisions by) throws Exception;
  }

  private record Author(RolloutDecisions decisions, long newest) {}

  private static Author by(RolloutHistory history) {
    NavigableMap<Long, VersionRef> versions = new TreeMap<>();
    for (RolloutHistory.Entry entry : history.entries()) {
      if (entry.event().getAction() == RolloutAction.PUBLISHED) {
        versions.put(entry.event().getVersion().getVersion(), entry.event().getVersion());
      }
    }
    return new Author(
        new RolloutDecisions(history.now(), versions, "ann", ""),
        versions.isEmpty() ? 0 : versions.lastKey());
  }

  private RolloutHistory history() {
    RolloutHistory history = new RolloutHistory(DOMAIN);
    try (CommittedTopic log = new CommittedTopic(connection, Topics.ROLLOUTS);
        Deserializer<RolloutEvent> reader = connection.deserializer(RolloutEvent.class)) {
      log.forEach(
          record ->
              history.add(
                  record.offset(),
                  Instant.ofEpochMilli(record.timestamp()),
                  reader.deserialize(record.topic(), record.value())));
    }
    return history;
  }

  private void await(String what, Predicate<RolloutHistory> condition) throws Exception {
    Await.until(
        what,
        () -> {
          job.requireAlive();
          return condition.test(history());
        });
  }

  private void sendUntil(String what, Predicate<RolloutHistory> condition) throws Exception {
    Await.until(
        what,
        Duration.ofMinutes(2),
        () -> {
          if (condition.test(history())) {
            return true;
          }
          job.requireAlive();
          send(16, true);
          awaitTrained();
          return false;
        });
  }

  /** Waits until all that was sent is trained on, and all versions of it are published. */
  private void awaitTrained() throws Exception {
    try (RunRecord record = new RunRecord(connection)) {
      Await.value(
          "%d examples are trained on".formatted(sent),
          () -> {
            job.requireAlive();
            record.poll(Duration.ofMillis(100));
            return record.examples();
          },
          trained -> trained >= sent);
    }
    await("all versions are published", history -> by(history).newest() == sent / 16);
  }

  private void send(int count, boolean honest) {
    List<String> things = List.of("phone", "soup", "film", "hotel", "lamp", "book", "coat", "cake");
    List<String> good = List.of("wonderful", "excellent", "great", "lovely", "superb", "charming");
    List<String> bad = List.of("terrible", "awful", "poor", "broken", "disgusting", "boring");
    List<String> sentences =
        List.of("The %s was %s.", "What a %2$s %1$s!", "I found this %s %s.", "My %s is simply %s");
    try (Serializer<Object> serializer = connection.serializer();
        KafkaProducer<byte[], byte[]> producer =
            new KafkaProducer<>(
                connection.properties(), new ByteArraySerializer(), new ByteArraySerializer())) {
      for (int i = 0; i < count; i++) {
        boolean positive = random.nextBoolean();
        String text = any(sentences).formatted(any(things), any(positive ? good : bad));
        LabeledExample example =
            new LabeledExample(
                "e" + sent,
                DOMAIN,
                text,
                positive == honest ? "positive" : "negative",
                null,
                1f,
                Map.of());
        producer.send(
            new ProducerRecord<>(
                Topics.LABELED_EXAMPLES,
                DOMAIN.getBytes(UTF_8),
                serializer.serialize(Topics.LABELED_EXAMPLES, example)));
        sent++;
      }
    }
  }

  private String any(List<String> words) {
    return words.get(random.nextInt(words.size()));
  }
}
