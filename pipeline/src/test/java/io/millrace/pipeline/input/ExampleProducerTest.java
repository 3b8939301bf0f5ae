package io.millrace.pipeline.input;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.client.kafka.AvroRecordSerializer;
import io.millrace.client.kafka.Connection;
import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.TestStack;
import io.millrace.pipeline.cli.ChildJvm;
import io.millrace.pipeline.embedded.TopicLayout;
import io.millrace.pipeline.input.ExampleProducer.Resume;
import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.Topics;
import io.millrace.testing.ApicurioRegistry;
import io.millrace.testing.KafkaBroker;
import io.millrace.testing.Services;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.concurrent.CancellationException;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serializer;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** One stack for all tests; each test has its own domains and files. */
@ExtendWith(Services.class)
@Tag("integration")
@Timeout(120)
class ExampleProducerTest {
  @TempDir private static Path directory;
  private static TestStack stack;
  private static Settings settings;

  private String test;

  @BeforeAll
  static void startStack(KafkaBroker kafka, ApicurioRegistry registry) throws Exception {
    Settings layout = Settings.of(List.of(TopicLayout.PARTITIONS), null, List.of());
    stack = TestStack.renew(kafka, registry, layout);
    settings = stack.connect(Settings.of(SendUntilKilled.SETTINGS, null, List.of()));
  }

  @BeforeEach
  void name(TestInfo info) {
    test = info.getTestMethod().orElseThrow().getName();
  }

  @Test
  void goodLinesBecomeExamplesAndBadOnesDeadLetters() throws IOException {
    ExampleFile file =
        write(
            "\uFEFF" + line("d", 1) + "\r",
            "",
            "{\"domain\":\"" + test + "\"",
            line("d", 2).replace("text", "tixt"),
            "  ",
            line("e", 3));

    Sent sent = send(file);

    assertThat(sent.lines()).isEqualTo(6);
    assertThat(sent.examples()).isEqualTo(2);
    assertThat(sent.deadLettersByClass()).isEqualTo(Map.of("BrokenJson", 1L, "MissingText", 1L));
    assertThat(examples()).isEqualTo(Map.of("d", List.of(1), "e", List.of(3)));
    ConsumerRecord<byte[], byte[]> letter =
        read(Topics.DEAD_LETTERS).stream()
            .filter(
                record -> header(record, Topics.DEAD_LETTER_FILE).equals(file.path().toString()))
            .filter(record -> header(record, Topics.DEAD_LETTER_LINE).equals("3"))
            .findFirst()
            .orElseThrow();
    assertThat(new String(letter.value(), UTF_8)).isEqualTo("{\"domain\":\"" + test + "\"");
    assertThat(header(letter, Topics.DEAD_LETTER_ERROR_CLASS)).isEqualTo("BrokenJson");
    assertThat(header(letter, Topics.DEAD_LETTER_ERROR_MESSAGE)).isNotBlank();
  }

  @Test
  void anExamplesKeyIsItsDomain() throws IOException {
    send(write(line("d", 1)));

    assertThat(records().get(0).key()).isEqualTo((test + ".d").getBytes(UTF_8));
  }

  @Test
  void aCompleteFileIsSentAgainUnlessItMustNotBe() throws IOException {
    ExampleFile file = write(lines(1500));

    Sent once = send(file);
    Sent never = new ExampleProducer(settings).send(file, Resume.NEVER_TWICE, sent -> {});
    assertThat(never).isEqualTo(once);
    assertThat(records()).hasSize(1500);

    assertThat(send(file)).isEqualTo(once);
    assertThat(records()).hasSize(3000);
  }

  @Test
  void anEmptyFileIsCompleteAtOnce() throws IOException {
    Sent sent = send(write());

    assertThat(sent.complete()).isTrue();
    assertThat(sent.examples()).isZero();
  }

  @Test
  void aRunThatFailsBetweenTransactionsIsGoneOnWith() throws IOException {
    ExampleFile file = write(lines(4200));

    assertThatThrownBy(
            () ->
                new ExampleProducer(settings)
                    .send(
                        file,
                        Resume.NEVER_TWICE,
                        sent -> {
                          if (sent.lines() == 2000) {
                            throw new CancellationException();
                          }
                        }))
        .isInstanceOf(CancellationException.class);
    List<Long> commits = new ArrayList<>();
    new ExampleProducer(settings).send(file, Resume.NEVER_TWICE, sent -> commits.add(sent.lines()));

    assertThat(commits).containsExactly(2000L, 3000L, 4000L, 4200L);
    assertThat(examples()).isEqualTo(Map.of("d", IntStream.range(0, 4200).boxed().toList()));
  }

  @Test
  void aRunThatFailsWithinATransactionLeavesNothingOfIt() throws IOException {
    ExampleFile file = write(lines(2500));
    Settings failing =
        settings.with(Connection.VALUE_SERIALIZER, FailsAtNumber1700.class.getName());

    assertThatThrownBy(
            () -> new ExampleProducer(failing).send(file, Resume.IF_INCOMPLETE, sent -> {}))
        .hasMessageContaining("number 1700");
    assertThat(records()).hasSize(1000);

    assertThat(send(file).examples()).isEqualTo(2500);
    assertThat(examples()).isEqualTo(Map.of("d", IntStream.range(0, 2500).boxed().toList()));
  }

  @Test
  void aRunThatIsKilledIsGoneOnWith() throws Exception {
    ExampleFile file = write(lines(60_000));
    try (ChildJvm child =
        new ChildJvm(
            directory.resolve("logs"),
            SendUntilKilled.class.getName(),
            file.path().toString(),
            Connection.BOOTSTRAP_SERVERS.key() + "=" + stack.kafka().bootstrapServers(),
            Connection.REGISTRY_URL.key() + "=" + stack.registry().url())) {
      child.awaitLine("committed 5000"::equals);
      child.kill();
    }
    List<Long> commits = new ArrayList<>();
    new ExampleProducer(settings).send(file, Resume.NEVER_TWICE, sent -> commits.add(sent.lines()));

    assertThat(commits.get(0)).isBetween(5000L, 59_000L);
    assertThat(examples()).isEqualTo(Map.of("d", IntStream.range(0, 60_000).boxed().toList()));
  }

  @Test
  void aSecondRunTakesOverFromTheFirst() throws IOException {
    ExampleFile file = write(lines(3000));
    List<Sent> second = new ArrayList<>();

    assertThatThrownBy(
            () ->
                new ExampleProducer(settings)
                    .send(
                        file,
                        Resume.NEVER_TWICE,
                        sent -> {
                          if (sent.lines() == 1000) {
                            second.add(send(file));
                          }
                        }))
        .hasMessageContaining("another run sends " + file.path());
    assertThat(second).hasSize(1);
    assertThat(examples()).isEqualTo(Map.of("d", IntStream.range(0, 3000).boxed().toList()));
  }

  @Test
  void settingsThatKafkaCannotUseAreTheUsersMistake() throws IOException {
    ExampleFile file = write(lines(1));
    Settings bad = settings.with(Connection.BOOTSTRAP_SERVERS, "nowhere");

    assertThatThrownBy(() -> new ExampleProducer(bad).send(file, Resume.NEVER_TWICE, sent -> {}))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("bootstrap.servers");

    List<String> sets =
        List.of(
            "kafka.linger.ms=soon", "kafka.bootstrap.servers=" + stack.kafka().bootstrapServers());
    Settings slow = Settings.of(SendUntilKilled.SETTINGS, null, sets);
    assertThatThrownBy(() -> new ExampleProducer(slow).send(file, Resume.NEVER_TWICE, sent -> {}))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("linger.ms");
  }

  @Test
  void aBrokerThatDoesNotAnswerIsNamedWithinSeconds() throws IOException {
    ExampleFile file = write(lines(1));
    Settings nobody = settings.with(Connection.BOOTSTRAP_SERVERS, "127.0.0.1:1");
    long begin = System.nanoTime();

    assertThatThrownBy(() -> new ExampleProducer(nobody).send(file, Resume.NEVER_TWICE, sent -> {}))
        .hasMessageContaining("no Kafka broker answers at 127.0.0.1:1");
    assertThat(Duration.ofNanos(System.nanoTime() - begin)).isLessThan(Duration.ofSeconds(15));
  }

  /** Writes records as usual, but not the one of line 1700. */
  public static final class FailsAtNumber1700 implements Serializer<Object> {
    private final AvroRecordSerializer serializer = new AvroRecordSerializer();

    @Override
    public void configure(Map<String, ?> configuration, boolean isKey) {
      serializer.configure(configuration, isKey);
    }

    @Override
    public byte[] serialize(String topic, Object record) {
      if (((LabeledExample) record).getText().equals("1700")) {
        throw new IllegalStateException("cannot write number 1700");
      }
      return serializer.serialize(topic, record);
    }
  }

  private Sent send(ExampleFile file) {
    return new ExampleProducer(settings).send(file, Resume.IF_INCOMPLETE, sent -> {});
  }

  private ExampleFile write(String... lines) throws IOException {
    Path path = directory.resolve(test + ".jsonl");
    return ExampleFile.open(Files.write(path, List.of(lines)));
  }

  private String[] lines(int count) {
    return IntStream.range(0, count).mapToObj(i -> line("d", i)).toArray(String[]::new);
  }

  private String line(String domain, int number) {
    return "{\"domain\":\"%s.%s\",\"text\":\"%d\",\"label\":\"l\"}".formatted(test, domain, number);
  }

  /** This test's examples: their numbers in the order of the topic, by domain. */
  private Map<String, List<Integer>> examples() {
    Map<String, List<Integer>> numbers = new TreeMap<>();
    try (Deserializer<LabeledExample> deserializer =
        new Connection(settings).deserializer(LabeledExample.class)) {
      for (ConsumerRecord<byte[], byte[]> record : records()) {
        LabeledExample example = deserializer.deserialize(record.topic(), record.value());
        numbers
            .computeIfAbsent(
                example.getDomain().substring(test.length() + 1), d -> new ArrayList<>())
            .add(Integer.valueOf(example.getText()));
      }
    }
    return numbers;
  }

  private List<ConsumerRecord<byte[], byte[]>> records() {
    return read(Topics.LABELED_EXAMPLES).stream()
        .filter(record -> new String(record.key(), UTF_8).startsWith(test + "."))
        .toList();
  }

  /** Everything committed on {@code topic}, each partition in order. */
  private static List<ConsumerRecord<byte[], byte[]>> read(String topic) {
    Properties properties = new Connection(settings).properties();
    properties.put("isolation.level", "read_committed");
    List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
    try (KafkaConsumer<byte[], byte[]> consumer =
        new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      List<TopicPartition> partitions =
          consumer.partitionsFor(topic).stream()
              .map((PartitionInfo info) -> new TopicPartition(topic, info.partition()))
              .toList();
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
      while (ends.entrySet().stream()
          .anyMatch(end -> consumer.position(end.getKey()) < end.getValue())) {
        consumer.poll(Duration.ofMillis(100)).forEach(records::add);
      }
    }
    return records;
  }

  private static String header(ConsumerRecord<byte[], byte[]> record, String name) {
    return new String(record.headers().lastHeader(name).value(), UTF_8);
  }
}
