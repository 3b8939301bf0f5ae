package io.millrace.benchmarks.serving;

import io.millrace.benchmarks.load.SteadyLoad;
import io.millrace.benchmarks.model.MiniLm;
import io.millrace.benchmarks.process.ServeProcess;
import io.millrace.benchmarks.process.TemporaryDirectory;
import io.millrace.benchmarks.report.MarkdownTable;
import io.millrace.benchmarks.report.Quantiles;
import io.millrace.client.kafka.Connection;
import io.millrace.client.process.Home;
import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.demo.WordNet;
import io.millrace.pipeline.embedded.EmbeddedStack;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.DomainProgress;
import io.millrace.schemas.FrozenScore;
import io.millrace.schemas.LabeledExample;
import io.millrace.schemas.Topics;
import io.millrace.schemas.TrainingProgress;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.tensor.Torch;
import java.io.IOException;
import java.io.InputStream;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serializer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Measures what open pages cost those who ask for predictions. */
@Command(
    name = "page-tabs",
    description = {
      "Ask a serving process for predictions at a steady rate, in turns without and with tabs that"
          + " show its page, while steps of many domains are reported. Half of the tabs show the list,"
          + " the others a domain each. Measure the latencies of the predictions."
    })
public final class PageTabsCommand implements Callable<Integer> {
  private static final int TEXTS = 64;
  private static final int PER_TRANSACTION = 200;
  private static final int REPORTED_A_SECOND = 100;
  private static final int BATCH = 16;
  private static final String METHOD = "svft:plain";

  @Option(
      names = "--tabs",
      paramLabel = "N",
      defaultValue = "50",
      description = "Tabs at once. Default: ${DEFAULT-VALUE}.")
  private int tabs;

  @Option(
      names = "--domains",
      paramLabel = "N",
      defaultValue = "1000",
      description = "Domains. Default: ${DEFAULT-VALUE}.")
  private int domains;

  @Option(
      names = "--rate",
      paramLabel = "R",
      defaultValue = "50",
      description = "Predictions a second, all of one domain. Default: ${DEFAULT-VALUE}.")
  private double rate;

  @Option(
      names = "--seconds",
      paramLabel = "S",
      defaultValue = "15",
      description = "Time of each turn. Default: ${DEFAULT-VALUE}.")
  private int seconds;

  @Option(
      names = "--rounds",
      paramLabel = "N",
      defaultValue = "5",
      description = "Turns of each. Default: ${DEFAULT-VALUE}.")
  private int rounds;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() throws Exception {
    if (tabs < 1 || domains < 1 || seconds < 1 || rounds < 1) {
      throw new UsageException("--tabs, --domains, --seconds and --rounds are 1 or more");
    }
    List<String> texts =
        WordNet.load().definitions(TEXTS).stream().map(LabeledExample::getText).toList();
    try (TemporaryDirectory directory = TemporaryDirectory.create("millrace-page-tabs");
        EmbeddedStack stack =
            EmbeddedStack.start(
                directory.path().resolve("stack"),
                EmbeddedStack.Ports.FREE,
                settings(EmbeddedStack.SETTINGS))) {
      Connection connection = new Connection(stack.connect(settings(Connection.SETTINGS)));
      progress("publishing " + domains + " versions");
      publish(connection);
      Path data = directory.path().resolve("serve");
      try (ServeProcess serve =
              ServeProcess.start(Home.directory(), data, connection, List.of(), Map.of());
          Reports reports = new Reports(connection)) {
        serve.awaitReady();
        reports.begin();
        say(measured(serve, texts));
      }
    }
    return 0;
  }

  private static Settings settings(List<Setting<?>> known) {
    return Settings.of(known, null, List.of());
  }

  private static String domain(int number) {
    return "domain-" + number;
  }

  private void publish(Connection connection) {
    try (BaseModel base = BaseModel.load(MiniLm.files(), Torch.device("cpu"));
        VersionPublisher publisher = new VersionPublisher(connection)) {
      List<AdapterVersion> batch = new ArrayList<>();
      for (int number = 0; number < domains; number++) {
        batch.add(SyntheticVersions.version(base, METHOD, domain(number), 1, ""));
        if (batch.size() >= PER_TRANSACTION || number == domains - 1) {
          publisher.publish(batch);
          batch.clear();
        }
      }
    }
  }

  private MarkdownTable measured(ServeProcess serve, List<String> texts)
      throws IOException, InterruptedException {
    List<Quantiles> without = new ArrayList<>();
    List<Quantiles> with = new ArrayList<>();
    AtomicLong bytes = new AtomicLong();
    SteadyLoad load = new SteadyLoad(serve.address(), domain(0), texts, rate);
    Duration turn = Duration.ofSeconds(seconds);
    for (int round = 0; round <= rounds; round++) {
      progress(round == 0 ? "warming up" : "round " + round + " of " + rounds);
      Quantiles alone = latencies(load.run(turn));
      Quantiles beside;
      try (Tabs open = new Tabs(serve, bytes)) {
        beside = latencies(load.run(turn));
        open.requireSound();
      }
      if (round > 0) {
        without.add(alone);
        with.add(beside);
      }
    }
    progress("the tabs got %,d bytes".formatted(bytes.get()));
    MarkdownTable table = new MarkdownTable("predictions");
    put(table, "without tabs", without, without);
    put(table, "with " + tabs + " tabs", with, without);
    return table;
  }

  private static Quantiles latencies(List<SteadyLoad.Answer> answers) {
    answers.stream()
        .filter(answer -> answer.status() != 200)
        .findFirst()
        .ifPresent(
            answer -> {
              throw new IllegalStateException("a prediction was answered " + answer.status());
            });
    return Quantiles.of(answers.stream().map(SteadyLoad.Answer::millis).toList());
  }

  private static void put(
      MarkdownTable table, String row, List<Quantiles> rounds, List<Quantiles> others) {
    for (double part : new double[] {0.5, 0.99}) {
      String name = part == 0.5 ? "p50" : "p99";
      table.put(row, name + " ms, median", "%.1f".formatted(median(rounds, part)));
      table.put(
          row, name + " to without", "%.3f".formatted(median(rounds, part) / median(others, part)));
    }
  }

  private static double median(List<Quantiles> rounds, double part) {
    return Quantiles.of(rounds.stream().map(round -> round.at(part)).toList()).at(0.5);
  }

  /** Open streams, each read by a thread that counts its bytes. */
  private final class Tabs implements AutoCloseable {
    private final HttpClient http =
        HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private final List<InputStream> streams = Collections.synchronizedList(new ArrayList<>());
    private final List<Thread> threads = new ArrayList<>();

    Tabs(ServeProcess serve, AtomicLong bytes) throws IOException, InterruptedException {
      for (int i = 0; i < tabs; i++) {
        String query = i % 2 == 0 ? "?page=" + i / 2 : "?domain=" + domain(i % domains);
        HttpResponse<InputStream> response =
            http.send(
                HttpRequest.newBuilder(serve.address().resolve("/page/events" + query))
                    .header("Accept", "text/event-stream")
                    .build(),
                BodyHandlers.ofInputStream());
        if (response.statusCode() != 200) {
          throw new IllegalStateException("a tab was answered " + response.statusCode());
        }
        InputStream stream = response.body();
        streams.add(stream);
        Thread reader = new Thread(() -> read(stream, bytes), "tab-" + i);
        reader.setDaemon(true);
        reader.start();
        threads.add(reader);
      }
    }

    private static void read(InputStream stream, AtomicLong bytes) {
      byte[] buffer = new byte[8192];
      try {
        for (int read = stream.read(buffer); read >= 0; read = stream.read(buffer)) {
          bytes.addAndGet(read);
        }
      } catch (IOException e) {
        // It was closed; what is cut off too early shows in requireSound.
      }
    }

    void requireSound() {
      if (!threads.stream().allMatch(Thread::isAlive)) {
        throw new IllegalStateException("a tab's stream has ended");
      }
    }

    @Override
    public void close() throws IOException {
      for (InputStream stream : streams) {
        stream.close();
      }
    }
  }

  /** Steps of all domains in turn, as the job reports them. */
  private final class Reports implements AutoCloseable {
    private final Serializer<Object> serializer;
    private final KafkaProducer<byte[], byte[]> producer;
    private final ScheduledExecutorService clock = Executors.newSingleThreadScheduledExecutor();
    private long reported;

    Reports(Connection connection) {
      serializer = connection.serializer();
      producer =
          new KafkaProducer<>(
              connection.properties(), new ByteArraySerializer(), new ByteArraySerializer());
    }

    void begin() {
      for (int i = 0; i < domains; i++) {
        report();
      }
      clock.scheduleAtFixedRate(
          this::report, 0, 1_000_000 / REPORTED_A_SECOND, TimeUnit.MICROSECONDS);
    }

    private void report() {
      String name = domain((int) (reported % domains));
      long step = reported / domains + 1;
      reported++;
      List<Boolean> correct = new ArrayList<>(Collections.nCopies(BATCH, true));
      correct.set((int) (step % BATCH), false);
      TrainingProgress training =
          TrainingProgress.newBuilder()
              .setStep(step)
              .setTotalExamples(step * BATCH)
              .setVersion(1)
              .setExamples(BATCH)
              .setCorrect(correct)
              .setLoss(0.5)
              .setStepMillis(70)
              .setNewestExampleAt(Instant.now())
              .setFrozen(
                  FrozenScore.newBuilder()
                      .setCorrect(correct)
                      .setLoss(0.6)
                      .setComparedExamples(step * BATCH)
                      .setComparedAdapted(step * (BATCH - 1))
                      .setComparedFrozen(step * (BATCH - 1))
                      .setComparedBoth(step * (BATCH - 1))
                      .build())
              .build();
      DomainProgress progress = new DomainProgress(name, Instant.now(), training, null);
      producer.send(
          new ProducerRecord<>(
              Topics.TRAINING_PROGRESS,
              name.getBytes(StandardCharsets.UTF_8),
              serializer.serialize(Topics.TRAINING_PROGRESS, progress)));
    }

    @Override
    public void close() {
      clock.shutdownNow();
      producer.close();
    }
  }

  private void say(MarkdownTable table) {
    spec.commandLine().getOut().print(table);
    spec.commandLine().getOut().flush();
  }

  private void progress(String line) {
    spec.commandLine().getErr().println(line);
    spec.commandLine().getErr().flush();
  }
}
