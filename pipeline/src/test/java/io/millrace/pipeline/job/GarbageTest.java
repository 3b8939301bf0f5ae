package io.millrace.pipeline.job;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.millrace.client.kafka.Connection;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.TestStack;
import io.millrace.pipeline.embedded.EmbeddedFlink;
import io.millrace.pipeline.job.Garbage.Letter;
import io.millrace.pipeline.report.RunRecord;
import io.millrace.pipeline.settings.JobSettings;
import io.millrace.pipeline.submission.FlinkJob;
import io.millrace.pipeline.submission.JobHealth;
import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.Topics;
import io.millrace.testing.ApicurioRegistry;
import io.millrace.testing.Await;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.Services;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.Future;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serializer;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** The job on a topic that is nearly all garbage. */
@ExtendWith(Services.class)
@Tag("integration")
@Timeout(180)
class GarbageTest {
  private static final int GARBAGE = 10_000;
  private static final int GOOD = 64;
  private static final int BATCH = 16;
  private static final List<String> COMPRESSIONS = List.of("none", "gzip", "snappy", "lz4", "zstd");
  private static final int LARGEST = Math.toIntExact(JobSettings.RECORD_BYTES.defaultValue());

  @TempDir private Path directory;

  private final Map<String, Letter> sent = new HashMap<>();

  @Test
  void garbageBecomesDeadLettersEachOnceAndTheRestTrains(
      KafkaBroker kafka, ApicurioRegistry registry) throws Exception {
    Settings settings = settings();
    Settings connected = TestStack.renew(kafka, registry, settings).connect(settings);
    try (EmbeddedFlink flink = EmbeddedFlink.start(directory.resolve("flink"), 0, 1)) {
      Connection connection = new Connection(connected);
      send(connection);
      FlinkJob job =
          FlinkJob.submit(
              "127.0.0.1",
              flink.port(),
              connected,
              directory.resolve("checkpoints").toString(),
              Optional.empty(),
              AdaptationJob.Input.UNBOUNDED);
      try (RunRecord record = new RunRecord(connection);
          JobHealth health = job.health()) {
        Await.until(
            "the good examples are trained on and the others are dead letters",
            Duration.ofMinutes(2),
            () -> {
              job.requireAlive();
              assertThat(health.failures()).isEmpty();
              record.poll(Duration.ofMillis(200));
              return record.examples() >= GOOD && letters(record) >= sent.size();
            });
        assertThat(restarts(flink, job)).isZero();
        job.drain(directory.resolve("savepoints"));
        assertThat(health.failures()).isEmpty();
        record.readToEnd();

        assertThat(record.examples()).isEqualTo(GOOD);
        assertThat(record.domains().keySet()).containsExactly("good");
        assertThat(record.domains().get("good").steps()).isEqualTo(GOOD / BATCH);
        assertThat(letters(record)).isEqualTo(sent.size());
      }
      requireTheLettersSent(connection);
    }
  }

  private static long letters(RunRecord record) {
    return record.deadLetters().values().stream().mapToLong(Long::longValue).sum();
  }

  /** Good examples lie evenly among the garbage; both come in every compression. */
  private void send(Connection connection) throws Exception {
    List<Letter> letters = new ArrayList<>();
    List<Future<RecordMetadata>> sending = new ArrayList<>();
    List<KafkaProducer<byte[], byte[]>> producers = new ArrayList<>();
    for (String compression : COMPRESSIONS) {
      Properties properties = connection.properties();
      properties.put("compression.type", compression);
      producers.add(
          new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer()));
    }
    try (Serializer<Object> serializer = connection.serializer()) {
      Garbage garbage = new Garbage(serializer);
      for (int i = 0; i < GARBAGE; i++) {
        KafkaProducer<byte[], byte[]> producer = producers.get(i % producers.size());
        if (i % (GARBAGE / GOOD) == 0 && i / (GARBAGE / GOOD) < GOOD) {
          byte[] good = serializer.serialize(Topics.LABELED_EXAMPLES, good(i));
          producer.send(
              new ProducerRecord<>(Topics.LABELED_EXAMPLES, "good".getBytes(UTF_8), good));
        }
        Letter letter = garbage.next();
        letters.add(letter);
        sending.add(
            producer.send(
                new ProducerRecord<>(Topics.LABELED_EXAMPLES, letter.key(), letter.value())));
      }
    } finally {
      producers.forEach(KafkaProducer::close);
    }
    for (int i = 0; i < GARBAGE; i++) {
      RecordMetadata at = sending.get(i).get();
      sent.put(at.partition() + "@" + at.offset(), letters.get(i));
    }
    sendCompressed(connection, LARGEST, "UnreadableRecord");
    sendCompressed(connection, LARGEST + 1, "RecordTooLarge");
    sendCompressed(connection, 32 << 20, "RecordTooLarge");
    assertThat(sent.size()).isEqualTo(GARBAGE + 3);
  }

  /** A few kilobytes on their way, a great many in the job. */
  private void sendCompressed(Connection connection, int bytes, String error) throws Exception {
    Properties properties = connection.properties();
    properties.put("compression.type", "zstd");
    properties.put("max.request.size", Integer.toString(2 * bytes));
    properties.put("buffer.memory", Integer.toString(2 * bytes));
    byte[] value = new byte[bytes];
    try (KafkaProducer<byte[], byte[]> producer =
        new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer())) {
      RecordMetadata at =
          producer.send(new ProducerRecord<>(Topics.LABELED_EXAMPLES, null, value)).get();
      byte[] expected = Arrays.copyOf(value, Math.min(bytes, LARGEST));
      sent.put(at.partition() + "@" + at.offset(), new Letter(null, expected, error));
    }
  }

  private static LabeledExample good(int number) {
    return new LabeledExample(
        "good-" + number,
        "good",
        number % 2 == 0 ? "Works like a charm." : "It broke after a day.",
        number % 2 == 0 ? "positive" : "negative",
        null,
        1f,
        Map.of());
  }

  /** Every record sent lies there once, byte for byte, and says where it came from and why. */
  private void requireTheLettersSent(Connection connection) {
    Properties properties = connection.properties();
    properties.put("isolation.level", "read_committed");
    Map<String, Letter> missing = new HashMap<>(sent);
    try (KafkaConsumer<byte[], byte[]> consumer =
        new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      List<TopicPartition> partitions =
          consumer.partitionsFor(Topics.DEAD_LETTERS).stream()
              .map(info -> new TopicPartition(info.topic(), info.partition()))
              .toList();
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
      while (partitions.stream().anyMatch(each -> consumer.position(each) < ends.get(each))) {
        for (ConsumerRecord<byte[], byte[]> letter : consumer.poll(Duration.ofMillis(100))) {
          assertThat(header(letter, Topics.DEAD_LETTER_TOPIC)).isEqualTo(Topics.LABELED_EXAMPLES);
          String at =
              header(letter, Topics.DEAD_LETTER_PARTITION)
                  + "@"
                  + header(letter, Topics.DEAD_LETTER_OFFSET);
          Letter original = missing.remove(at);
          assertThat(original).as("the record at %s, once", at).isNotNull();
          assertThat(letter.key()).isEqualTo(original.key());
          assertThat(letter.value()).isEqualTo(original.value());
          assertThat(header(letter, Topics.DEAD_LETTER_ERROR_CLASS)).isEqualTo(original.error());
          assertThat(header(letter, Topics.DEAD_LETTER_ERROR_MESSAGE)).isNotBlank();
        }
      }
    }
    assertThat(missing.keySet()).isEmpty();
  }

  private static String header(ConsumerRecord<byte[], byte[]> record, String name) {
    return new String(record.headers().lastHeader(name).value(), UTF_8);
  }

  /** As Flink counts them; it gathers its metrics every few seconds. */
  private static int restarts(EmbeddedFlink flink, FlinkJob job) throws Exception {
    URI metric =
        URI.create(
            "http://127.0.0.1:%d/jobs/%s/metrics?get=numRestarts"
                .formatted(flink.port(), job.id()));
    return Await.value(
            "Flink counts the restarts",
            () ->
                new ObjectMapper()
                    .readTree(
                        HttpClient.newHttpClient()
                            .send(HttpRequest.newBuilder(metric).build(), BodyHandlers.ofString())
                            .body()),
            answer -> answer.path(0).has("value"))
        .path(0)
        .path("value")
        .asInt();
  }

  private static Settings settings() {
    return JobTestSettings.of("batch.size=" + BATCH, "batch.timeout=none");
  }
}
