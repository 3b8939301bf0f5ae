package io.millrace.pipeline.chaos;

import io.millrace.client.kafka.Connection;
import io.millrace.client.process.LoopbackPort;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.embedded.EmbeddedKafka;
import io.millrace.pipeline.embedded.RegistryProcess;
import io.millrace.pipeline.embedded.TopicLayout;
import io.millrace.pipeline.input.ExampleLimits;
import io.millrace.pipeline.input.ExampleProducer;
import io.millrace.pipeline.job.AdaptationJob;
import io.millrace.pipeline.settings.JobSettings;
import io.millrace.pipeline.submission.FlinkJob;
import io.millrace.pipeline.submission.StartingState;
import io.millrace.schemas.Topics;
import io.millrace.svft.model.ModelStore;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * All that a training runs on, each part a process that can be killed: three Kafka nodes, the
 * schema registry, and a highly available Flink session of two task managers. Runs take turns on
 * it, each with new topics.
 */
final class ChaosRig implements AutoCloseable {
  private static final List<Setting<?>> KNOWN =
      Stream.of(
              JobSettings.ALL,
              ExampleLimits.SETTINGS,
              Connection.SETTINGS,
              List.of(TopicLayout.PARTITIONS))
          .<Setting<?>>flatMap(List::stream)
          .toList();

  private static final String MODELS = System.getProperty("millrace.test.models");
  private static final int SLOTS = 4;

  private final Path directory;
  private final Path logs;
  private final Path control;
  private final KafkaCluster kafka;
  private FlinkCluster flink;
  private RegistryProcess registry;
  private ProcessHandle registryProcess;
  private int registryPort;

  private ChaosRig(Path directory, Path logs, boolean highlyAvailable) throws IOException {
    this.directory = directory;
    this.logs = logs;
    control = directory.resolve("fault");
    launchRegistry(LoopbackPort.free());
    kafka = KafkaCluster.start(directory.resolve("kafka"), logs);
    flink = FlinkCluster.session(directory.resolve("flink"), logs, flinkOptions(), highlyAvailable);
  }

  private List<String> flinkOptions() {
    return List.of("-D" + FaultyFileSystem.CONTROL + "=" + control);
  }

  /**
   * Starts everything; returns when it can be used.
   *
   * @param directory for data
   * @param logs for what the processes say
   */
  static ChaosRig start(Path directory, Path logs) throws Exception {
    return start(directory, logs, true);
  }

  /**
   * As {@link #start(Path, Path)}.
   *
   * @param highlyAvailable whether a job manager that starts anew knows the jobs of the one before
   */
  static ChaosRig start(Path directory, Path logs, boolean highlyAvailable) throws Exception {
    ChaosRig rig = new ChaosRig(directory, logs, highlyAvailable);
    try {
      new ModelStore(Path.of(MODELS)).prepare("minilm", (model, done, total) -> {});
      rig.kafka.awaitAll();
      rig.registry.awaitReady();
      rig.flink.awaitFreeSlots(SLOTS);
      return rig;
    } catch (Exception | Error e) {
      rig.close();
      throw e;
    }
  }

  KafkaCluster kafka() {
    return kafka;
  }

  FlinkCluster flink() {
    return flink;
  }

  /** What a job of that name is told, and whoever reads what it wrote. */
  Settings settings(String name, int parallelism, String... more) {
    List<String> sets =
        List.of(
            "kafka.bootstrap.servers=" + kafka.bootstrapServers(),
            "schema.registry.url=" + registry.url(),
            "batch.timeout=none",
            "publish.everySteps=2",
            "checkpoint.interval=500ms",
            "training.threads=1",
            "model.store=" + MODELS);
    return Settings.of(KNOWN, null, Stream.concat(sets.stream(), Stream.of(more)).toList())
        .with(JobSettings.GROUP, name)
        .with(JobSettings.PARALLELISM, parallelism);
  }

  /**
   * Makes the topics anew, fills them with the stream, and puts a cluster that runs the job as its
   * program, and so for as long as nobody stops it, in the place of the one before.
   *
   * @param highlyAvailable whether a job manager that starts anew knows the job of the one before
   */
  void beginApplication(DealtStream stream, Settings settings, boolean highlyAvailable)
      throws Exception {
    flink.close();
    kafka.awaitAll();
    kafka.renewTopics(settings);
    send(stream, settings);
    String name = settings.get(JobSettings.GROUP);
    flink =
        FlinkCluster.application(
            directory.resolve("flink-" + name),
            logs.resolve(name),
            flinkOptions(),
            highlyAvailable,
            settings.explicit().entrySet().stream()
                .map(set -> "--set=" + set.getKey() + "=" + set.getValue())
                .toList());
  }

  /** Makes the topics anew, fills them with the stream, and starts a job that ends with it. */
  Run begin(DealtStream stream, Settings settings) throws Exception {
    return begin(stream, settings, EmbeddedKafka.LARGEST_RECORD);
  }

  /** The same, with a topic of versions that takes no larger records. */
  Run begin(DealtStream stream, Settings settings, long largestVersion) throws Exception {
    mend();
    flink.awaitFreeSlots(SLOTS);
    kafka.awaitAll();
    kafka.renewTopics(settings);
    kafka.limitRecords(Topics.ADAPTERS, largestVersion);
    send(stream, settings);
    return new Run(
        this,
        settings.get(JobSettings.GROUP),
        stream.examples(),
        submit(settings, Optional.empty()));
  }

  /** As {@link #begin(DealtStream, Settings)}, with the usual settings. */
  Run begin(String name, DealtStream stream, int parallelism) throws Exception {
    return begin(stream, settings(name, parallelism));
  }

  /** So that a run that has failed leaves nothing broken to the next. */
  private void mend() throws IOException {
    mendFiles();
    kafka.replaceEndedNodes();
    flink.replaceEndedJobManager();
    flink.replaceEndedTaskManagers();
    if (!registryProcess.isAlive()) {
      restartRegistry();
    }
  }

  void send(DealtStream stream, Settings settings) {
    new ExampleProducer(settings)
        .send(stream.examplesFile(), ExampleProducer.Resume.IF_INCOMPLETE, sent -> {});
  }

  FlinkJob submit(Settings settings, Optional<StartingState> start) {
    return FlinkJob.submit(
        "127.0.0.1",
        flink.port(),
        settings,
        checkpoints(settings),
        start,
        AdaptationJob.Input.BOUNDED);
  }

  /** Where a job goes on whose process ended. */
  Optional<StartingState> latestCheckpoint(String name) throws IOException {
    return StartingState.latest(checkpoints(name), name);
  }

  /** Where the settings say, or in a directory of the job's own. */
  private String checkpoints(Settings settings) {
    return settings.explicit().containsKey(JobSettings.CHECKPOINT_DIRECTORY.key())
        ? JobSettings.checkpoints(settings)
        : checkpoints(settings.get(JobSettings.GROUP));
  }

  /** On a file system that can be made to fail. */
  private String checkpoints(String name) {
    return FaultyFileSystem.SCHEME + "://" + directory.resolve("checkpoints").resolve(name);
  }

  Path savepoints() {
    return directory.resolve("savepoints");
  }

  void breakFiles(FaultyFileSystem.Fault fault) throws IOException {
    Files.writeString(control, fault.name());
  }

  void mendFiles() throws IOException {
    Files.deleteIfExists(control);
  }

  /** What could not be written so far, one line each. */
  List<String> refusedWrites() throws IOException {
    Path log = control.resolveSibling(control.getFileName() + ".log");
    return Files.exists(log) ? Files.readAllLines(log) : List.of();
  }

  private void launchRegistry(int port) {
    Path distribution = Path.of(System.getProperty("millrace.home"), "pipeline/target/registry");
    Set<Long> before =
        ProcessHandle.current().children().map(ProcessHandle::pid).collect(Collectors.toSet());
    registry =
        RegistryProcess.launch(
            distribution, directory.resolve("registry"), logs.resolve("registry.out"), port);
    registryPort = port;
    registryProcess =
        ProcessHandle.current()
            .children()
            .filter(child -> !before.contains(child.pid()))
            .findFirst()
            .orElseThrow();
  }

  /** With SIGKILL. */
  void killRegistry() {
    registryProcess.destroyForcibly();
    registryProcess.onExit().join();
  }

  /** On the data and the port of the one before. */
  void restartRegistry() {
    launchRegistry(registryPort);
    registry.awaitReady();
  }

  @Override
  public void close() {
    flink.close();
    kafka.close();
    killRegistry();
  }
}
