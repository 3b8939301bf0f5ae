package io.millrace.pipeline.chaos;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import io.millrace.client.process.LoopbackPort;
import io.millrace.pipeline.submission.ApplicationJob;
import io.millrace.testing.Await;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.apache.flink.api.common.JobID;
import org.apache.flink.container.entrypoint.StandaloneApplicationClusterEntryPoint;
import org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint;
import org.apache.flink.runtime.taskexecutor.TaskManagerRunner;
import org.apache.flink.runtime.zookeeper.FlinkZooKeeperQuorumPeer;

/**
 * A Flink cluster, highly available or not: ZooKeeper if so, a job manager and task managers of two
 * slots, each a process. It is a session, or the job manager runs the job as its program.
 */
final class FlinkCluster implements AutoCloseable {
  private static final int TASK_MANAGERS = 2;
  private static final Set<String> ENDED = Set.of("CANCELED", "FAILED", "FINISHED");
  private static final ObjectMapper JSON = new ObjectMapper();

  private static final String CONFIGURATION =
      """
      jobmanager.rpc.address: 127.0.0.1
      jobmanager.bind-host: 127.0.0.1
      jobmanager.memory.heap.size: 384m
      jobmanager.memory.off-heap.size: 128m
      jobmanager.memory.jvm-metaspace.size: 128m
      jobmanager.memory.jvm-overhead.min: 64m
      jobmanager.memory.jvm-overhead.max: 64m
      rest.address: 127.0.0.1
      rest.bind-address: 127.0.0.1
      taskmanager.host: 127.0.0.1
      taskmanager.bind-host: 127.0.0.1
      taskmanager.numberOfTaskSlots: 2
      taskmanager.load-balance.mode: SLOTS
      taskmanager.cpu.cores: 1.0
      taskmanager.memory.task.heap.size: 384m
      taskmanager.memory.task.off-heap.size: 1536m
      taskmanager.memory.framework.heap.size: 128m
      taskmanager.memory.framework.off-heap.size: 128m
      taskmanager.memory.network.min: 32m
      taskmanager.memory.network.max: 32m
      taskmanager.memory.managed.size: 128m
      taskmanager.memory.jvm-metaspace.size: 128m
      taskmanager.memory.jvm-overhead.min: 64m
      taskmanager.memory.jvm-overhead.max: 64m
      taskmanager.memory.segment-size: 4kb
      metrics.fetcher.update-interval: 500
      heartbeat.interval: 1000
      heartbeat.timeout: 10000
      """;

  private static final String HIGH_AVAILABILITY =
      """
      high-availability.type: zookeeper
      high-availability.cluster-id: /chaos
      high-availability.zookeeper.client.session-timeout: 5000
      """;

  private static final String ZOOKEEPER =
      """
      tickTime=1000
      admin.enableServer=false
      clientPortAddress=127.0.0.1
      """;

  private final Path directory;
  private final Path logs;
  private final List<String> options;
  private final Optional<List<String>> program;
  private final int restPort;
  private final Optional<ChildProcess> zooKeeper;
  private final Deque<ChildProcess> taskManagers = new ArrayDeque<>();
  private final HttpClient http = HttpClient.newHttpClient();
  private ChildProcess jobManager;
  private int jobManagersStarted;
  private int taskManagersStarted;

  private FlinkCluster(
      Path directory,
      Path logs,
      List<String> options,
      boolean highlyAvailable,
      Optional<List<String>> program)
      throws IOException {
    this.directory = directory;
    this.logs = logs;
    this.options = options;
    this.program = program;
    List<Integer> ports = Stream.generate(LoopbackPort::free).limit(2).toList();
    restPort = ports.get(0);
    zooKeeper = highlyAvailable ? Optional.of(startZooKeeper(ports.get(1))) : Optional.empty();
    Path configuration = Files.createDirectories(directory.resolve("conf")).resolve("config.yaml");
    Files.writeString(
        configuration,
        CONFIGURATION
            + "rest.port: %d%n".formatted(restPort)
            + "rest.bind-port: %d%n".formatted(restPort)
            + (highlyAvailable
                ? HIGH_AVAILABILITY
                    + "high-availability.zookeeper.quorum: 127.0.0.1:%d%n".formatted(ports.get(1))
                    + "high-availability.storageDir: %s%n"
                        .formatted(directory.resolve("ha").toUri())
                : "jobmanager.rpc.port: %d%n".formatted(ports.get(1))));
  }

  /**
   * Starts ZooKeeper, a job manager and two task managers; does not wait for them.
   *
   * @param options for the Java of Flink's processes
   * @param highlyAvailable whether there is a ZooKeeper; without, a new job manager knows no job
   */
  static FlinkCluster session(
      Path directory, Path logs, List<String> options, boolean highlyAvailable) throws IOException {
    return new FlinkCluster(directory, logs, options, highlyAvailable, Optional.empty()).start();
  }

  /**
   * As {@link #session}, for a cluster that is there for one job, and ends with it.
   *
   * @param arguments of {@link ApplicationJob}
   */
  static FlinkCluster application(
      Path directory,
      Path logs,
      List<String> options,
      boolean highlyAvailable,
      List<String> arguments)
      throws IOException {
    return new FlinkCluster(directory, logs, options, highlyAvailable, Optional.of(arguments))
        .start();
  }

  private FlinkCluster start() throws IOException {
    startJobManager();
    replaceEndedTaskManagers();
    return this;
  }

  private ChildProcess startZooKeeper(int port) throws IOException {
    Path data = Files.createDirectories(directory.resolve("zookeeper"));
    Path file = directory.resolve("zookeeper.cfg");
    Files.writeString(
        file, ZOOKEEPER + "clientPort=%d%ndataDir=%s%n".formatted(port, data.toAbsolutePath()));
    return ChildProcess.start(
        "zookeeper",
        logs,
        List.of("-Xmx128m"),
        FlinkZooKeeperQuorumPeer.class,
        List.of("--zkConfigFile", file.toString(), "--peerId", "1"));
  }

  /**
   * With the same command line as before, except for what is said here.
   *
   * @param more Flink's options, {@code KEY=VALUE}
   */
  void startJobManager(String... more) throws IOException {
    String name = "jobmanager-" + ++jobManagersStarted;
    List<String> arguments =
        new ArrayList<>(
            List.of(
                "--configDir",
                directory.resolve("conf").toString(),
                "-D",
                "io.tmp.dirs=" + scratch(name),
                "-D",
                "web.upload.dir=" + scratch(name)));
    for (String option : more) {
      arguments.addAll(List.of("-D", option));
    }
    program.ifPresent(
        its -> {
          arguments.addAll(List.of("--job-classname", ApplicationJob.class.getName()));
          arguments.addAll(its);
        });
    jobManager =
        ChildProcess.start(
            name,
            logs,
            javaOptions("-Xmx384m"),
            program.isPresent()
                ? StandaloneApplicationClusterEntryPoint.class
                : StandaloneSessionClusterEntrypoint.class,
            arguments);
  }

  void startTaskManager() throws IOException {
    String name = "taskmanager-" + ++taskManagersStarted;
    taskManagers.add(
        ChildProcess.start(
            name,
            logs,
            javaOptions("-Xmx512m"),
            TaskManagerRunner.class,
            List.of(
                "--configDir",
                directory.resolve("conf").toString(),
                "-D",
                "taskmanager.resource-id=" + name,
                "-D",
                "io.tmp.dirs=" + scratch(name))));
  }

  private List<String> javaOptions(String heap) {
    List<String> all = new ArrayList<>(options);
    all.add(heap);
    return all;
  }

  private Path scratch(String name) throws IOException {
    return Files.createDirectories(directory.resolve("tmp").resolve(name));
  }

  void killJobManager() throws InterruptedException {
    jobManager.kill();
  }

  /** The one that was started first. */
  void killTaskManager() throws InterruptedException {
    taskManagers.removeFirst().kill();
  }

  void replaceEndedJobManager() throws IOException {
    if (!jobManager.isAlive()) {
      startJobManager();
    }
  }

  /** As whatever watches over a cluster's processes does. */
  void replaceEndedTaskManagers() throws IOException {
    taskManagers.removeIf(taskManager -> !taskManager.isAlive());
    while (taskManagers.size() < TASK_MANAGERS) {
      startTaskManager();
    }
  }

  /** Stops all task managers where they are, until {@link #thaw}; soon, or they count as lost. */
  void freeze() throws Exception {
    for (ChildProcess taskManager : taskManagers) {
      taskManager.freeze();
    }
  }

  void thaw() throws Exception {
    for (ChildProcess taskManager : taskManagers) {
      taskManager.thaw();
    }
  }

  /** Ends a job; its checkpoints stay. */
  void cancel(JobID job) throws Exception {
    HttpRequest request =
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:%d/jobs/%s".formatted(restPort, job)))
            .method("PATCH", BodyPublishers.noBody())
            .build();
    http.send(request, BodyHandlers.discarding());
    Await.value(
        "job %s has ended".formatted(job),
        () -> get("/jobs/" + job).path("state").asText(),
        ENDED::contains);
  }

  /** Jobs that run; none, too, while no job manager answers. */
  List<JobID> running() throws InterruptedException {
    try {
      List<JobID> running = new ArrayList<>();
      for (JsonNode job : get("/jobs").path("jobs")) {
        if (job.path("status").asText().equals("RUNNING")) {
          running.add(JobID.fromHexString(job.path("id").asText()));
        }
      }
      return running;
    } catch (IOException e) {
      return List.of();
    }
  }

  /** The exit code of the job manager, once it has ended by itself. */
  int awaitJobManagerEnd() throws Exception {
    return Await.value(
            "the job manager has ended",
            Duration.ofMinutes(1),
            () -> jobManager.exitCode(),
            Optional::isPresent)
        .orElseThrow();
  }

  /** Port of the REST interface on 127.0.0.1. */
  int port() {
    return restPort;
  }

  /** Until that many slots are there, all of them free. */
  void awaitFreeSlots(int slots) throws Exception {
    Await.value(
        "%d slots, all of them free".formatted(slots),
        Duration.ofMinutes(3),
        () -> {
          zooKeeper.ifPresent(ChildProcess::requireAlive);
          jobManager.requireAlive();
          taskManagers.forEach(ChildProcess::requireAlive);
          try {
            return get("/overview");
          } catch (IOException e) {
            return MissingNode.getInstance();
          }
        },
        overview ->
            overview.path("slots-available").asInt() == slots
                && overview.path("slots-total").asInt() == slots);
  }

  /** What the REST interface answers. */
  JsonNode get(String path) throws IOException, InterruptedException {
    HttpRequest request =
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + restPort + path))
            .timeout(Duration.ofSeconds(10))
            .build();
    HttpResponse<String> answer = http.send(request, BodyHandlers.ofString());
    if (answer.statusCode() != 200) {
      throw new IOException(path + " answers " + answer.statusCode() + ": " + answer.body());
    }
    return JSON.readTree(answer.body());
  }

  @Override
  public void close() {
    taskManagers.forEach(ChildProcess::close);
    jobManager.close();
    zooKeeper.ifPresent(ChildProcess::close);
  }
}
