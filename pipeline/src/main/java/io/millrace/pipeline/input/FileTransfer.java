package io.millrace.pipeline.input;

import io.millrace.pipeline.input.ExampleProducer.Resume;
import io.millrace.pipeline.input.LineReader.Line;
import io.millrace.pipeline.input.ParsedLine.Accepted;
import io.millrace.pipeline.input.ParsedLine.Rejected;
import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.RecordError;
import io.millrace.schemas.Topics;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.function.Consumer;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListConsumerGroupOffsetsOptions;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serializer;

/** One file on its way to Kafka, as {@link ExampleProducer} promises it. */
final class FileTransfer implements AutoCloseable {
  private static final int LINES_PER_TRANSACTION = 1000;
  private static final int ROOM_FOR_HEADERS = 64 * 1024;
  private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(10);

  /** Readers of committed records wait this long behind a sender that died and is not run again. */
  private static final Duration TRANSACTION_TIMEOUT = Duration.ofSeconds(30);

  /**
   * The partition whose committed offset holds the progress; the offset refers to no record in it.
   */
  private static final TopicPartition PROGRESS = new TopicPartition(Topics.LABELED_EXAMPLES, 0);

  private final ExampleFile file;
  private final ExampleLimits limits;
  private final ExampleParser parser;
  private final Serializer<Object> serializer;

  /** Names the sender and its progress; the same for every run that sends the same content. */
  private final String identity;

  private final KafkaProducer<byte[], byte[]> producer;

  FileTransfer(
      ExampleFile file,
      ExampleLimits limits,
      Properties connection,
      Serializer<Object> serializer) {
    this.file = file;
    this.limits = limits;
    this.parser = new ExampleParser(limits);
    this.serializer = serializer;
    this.identity = "millrace-file-" + file.sha256();
    this.producer =
        new KafkaProducer<>(
            configuration(connection), new ByteArraySerializer(), new ByteArraySerializer());
  }

  Sent run(Admin admin, Resume resume, Consumer<Sent> progress)
      throws IOException, ExecutionException, InterruptedException {
    try {
      // Fences a run that is still alive and aborts what a dead one left open: only now is the
      // progress final.
      producer.initTransactions();
      Sent sent = committed(admin);
      if (sent.complete() && resume == Resume.IF_INCOMPLETE) {
        sent = Sent.NOTHING;
      }
      progress.accept(sent);
      try (LineReader lines = file.lines(limits.lineBytes(), sent.lines(), sent.bytes())) {
        while (!sent.complete()) {
          sent = sendSome(lines, sent);
          progress.accept(sent);
        }
      }
      return sent;
    } catch (ProducerFencedException | InvalidProducerEpochException e) {
      throw new IllegalStateException(
          "another run sends " + file.name() + " too and has taken over; this one stops", e);
    }
  }

  /** Aborts what is not committed. */
  @Override
  public void close() {
    producer.close(CLOSE_TIMEOUT);
  }

  private Sent committed(Admin admin) throws ExecutionException, InterruptedException {
    OffsetAndMetadata offset =
        admin
            .listConsumerGroupOffsets(
                identity, new ListConsumerGroupOffsetsOptions().requireStable(true))
            .partitionsToOffsetAndMetadata()
            .get()
            .get(PROGRESS);
    return offset == null ? Sent.NOTHING : Sent.decode(offset.metadata());
  }

  /** One transaction: some lines, and how far they reach. */
  private Sent sendSome(LineReader lines, Sent before) throws IOException {
    producer.beginTransaction();
    long examples = before.examples();
    SortedMap<String, Long> deadLetters = new TreeMap<>(before.deadLettersByClass());
    Optional<Line> line = lines.next();
    for (int n = 1; line.isPresent(); n++) {
      if (!line.get().isBlank()) {
        ParsedLine parsed = parser.parse(line.get());
        if (parsed instanceof Accepted accepted) {
          send(accepted.example());
          examples++;
        } else if (parsed instanceof Rejected rejected) {
          send(line.get(), rejected.error());
          deadLetters.merge(rejected.error().getErrorClass(), 1L, Long::sum);
        }
      }
      line = n < LINES_PER_TRANSACTION ? lines.next() : Optional.empty();
    }
    boolean complete = lines.position() >= file.length();
    if (complete) {
      file.requireUnchanged();
    }
    Sent after = new Sent(lines.lines(), lines.position(), examples, deadLetters, complete);
    producer.sendOffsetsToTransaction(
        Map.of(PROGRESS, new OffsetAndMetadata(after.lines(), after.encode())),
        new ConsumerGroupMetadata(identity));
    producer.commitTransaction();
    return after;
  }

  private void send(LabeledExample example) {
    producer.send(
        new ProducerRecord<>(
            Topics.LABELED_EXAMPLES,
            utf8(example.getDomain()),
            serializer.serialize(Topics.LABELED_EXAMPLES, example)));
  }

  private void send(Line line, RecordError error) {
    ProducerRecord<byte[], byte[]> letter =
        new ProducerRecord<>(Topics.DEAD_LETTERS, null, line.bytes());
    letter
        .headers()
        .add(Topics.DEAD_LETTER_FILE, utf8(file.place()))
        .add(Topics.DEAD_LETTER_LINE, utf8(String.valueOf(line.number())))
        .add(Topics.DEAD_LETTER_ERROR_CLASS, utf8(error.getErrorClass()))
        .add(Topics.DEAD_LETTER_ERROR_MESSAGE, utf8(error.getMessage()));
    producer.send(letter);
  }

  private Properties configuration(Properties connection) {
    Properties properties = new Properties();
    properties.put(ProducerConfig.LINGER_MS_CONFIG, 20);
    properties.put(ProducerConfig.BATCH_SIZE_CONFIG, 128 * 1024);
    properties.put(ProducerConfig.MAX_BLOCK_MS_CONFIG, 30_000);
    properties.put(ProducerConfig.REQUEST_TIMEOUT_MS_CONFIG, 15_000);
    properties.put(ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG, 30_000);
    int largest = Math.max(1024 * 1024, limits.lineBytes() + ROOM_FOR_HEADERS);
    properties.put(ProducerConfig.MAX_REQUEST_SIZE_CONFIG, largest);
    properties.put(ProducerConfig.BUFFER_MEMORY_CONFIG, 32L * 1024 * 1024 + largest);
    // The user's settings win over these, but not over what makes it exactly once.
    properties.putAll(connection);
    properties.put(ProducerConfig.TRANSACTIONAL_ID_CONFIG, identity);
    properties.put(ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, true);
    properties.put(ProducerConfig.ACKS_CONFIG, "all");
    properties.put(ProducerConfig.TRANSACTION_TIMEOUT_CONFIG, (int) TRANSACTION_TIMEOUT.toMillis());
    return properties;
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}
