package io.millrace.pipeline;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.millrace.client.process.LoopbackPort;
import io.millrace.testing.Await;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.Key;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.CoreOptions;
import org.apache.flink.configuration.GlobalConfiguration;
import org.apache.flink.runtime.clusterframework.TaskExecutorProcessUtils;
import org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint;
import org.apache.flink.runtime.jobmanager.JobManagerProcessSpec;
import org.apache.flink.runtime.jobmanager.JobManagerProcessUtils;
import org.apache.flink.runtime.taskexecutor.TaskManagerRunner;
import org.apache.flink.runtime.util.config.memory.ProcessMemoryUtils;

/**
 * The services of docker-compose.yml as processes of this machine, with its secrets and two
 * replicas of {@code serve}: their commands and variables as the file has them, where names,
 * addresses and folders of the containers become ports of 127.0.0.1 and folders of a test. What
 * images add comes from elsewhere: Kafka's, the registry's and Flink's programs from Maven's jars,
 * Flink's options from docker/flink, memory of its processes as its scripts compute it. Each health
 * check runs as it is.
 */
final class ComposedProcesses implements AutoCloseable {
  private static final Path HOME = Path.of(System.getProperty("millrace.home"));
  private static final Duration PATIENCE = Duration.ofMinutes(2);
  private static final int CHECK_SECONDS = 20;

  /** The pipe to its standard input closes however this JVM ends; the process then ends, too. */
  private static final String END_WITH_PARENT =
      "exec 3<&0; \"$@\" & child=$!; (cat <&3 >/dev/null; kill -9 $child) & wait $child";

  /** With which decisions are taken. */
  static final String TOKEN = "a-token-of-the-test";

  /** A lost process is found sooner than after Flink's 50 s. */
  private static final List<String> FLINK =
      List.of("heartbeat.interval=1000", "heartbeat.timeout=10000");

  private final Path directory;
  private final Path home;
  private final ComposeFile compose =
      ComposeFile.read("docker-compose.yml", "docker-compose.secrets.yml");
  private final Map<String, String> here = new LinkedHashMap<>();
  private final Map<String, Integer> ports = new LinkedHashMap<>();
  private final Map<String, ProcessBuilder> started = new LinkedHashMap<>();
  private final Map<String, Process> running = new LinkedHashMap<>();

  /** Starts nothing yet. */
  ComposedProcesses(Path directory) throws IOException {
    this.directory = directory;
    for (String port :
        List.of(
            "internal",
            "host",
            "controller",
            "registry",
            "rest",
            "jobmanager",
            "taskmanager",
            "jobmanager-metrics",
            "taskmanager-metrics",
            "serve-1",
            "serve-2",
            "proxy")) {
      ports.put(port, LoopbackPort.free());
    }
    here.put("0.0.0.0:19092", address("internal"));
    here.put("kafka:19092", address("internal"));
    here.put("0.0.0.0:9092", address("host"));
    here.put("127.0.0.1:9092", address("host"));
    here.put("127.0.0.1:9093", address("controller"));
    here.put("registry:8080", address("registry"));
    here.put("jobmanager:8081", address("rest"));
    here.put("$(hostname -i):6122", address("taskmanager"));
    here.put("/var/lib/kafka/data", directory.resolve("kafka").toString());
    here.put("/var/lib/registry", directory.resolve("registry").toString());
    here.put("/var/lib/millrace/checkpoints", directory.resolve("checkpoints").toString());
    here.put("/var/lib/millrace/models", System.getProperty("millrace.test.models"));
    here.put("/run/secrets", secrets().toString());
    here.put("/usr/local/bin", HOME.resolve("docker").toString());
    here.put("0.0.0.0", LoopbackPort.HOST);
    home = image();
  }

  private String address(String port) {
    return LoopbackPort.HOST + ":" + ports.get(port);
  }

  /** The files, by the names under which containers have them. */
  private Path secrets() throws IOException {
    Path secrets = Files.createDirectories(directory.resolve("secrets"));
    Files.writeString(secrets.resolve("rollout-token"), TOKEN + "\n");
    KeyPair pair;
    try {
      pair = KeyPairGenerator.getInstance("Ed25519").generateKeyPair();
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
    writeKey(secrets.resolve("signing-key"), "PRIVATE", pair.getPrivate());
    writeKey(secrets.resolve("signing-key-public"), "PUBLIC", pair.getPublic());
    return secrets;
  }

  private static void writeKey(Path file, String kind, Key key) throws IOException {
    String base64 = Base64.getMimeEncoder().encodeToString(key.getEncoded());
    Files.writeString(
        file, "-----BEGIN %1$s KEY-----%n%2$s%n-----END %1$s KEY-----%n".formatted(kind, base64));
  }

  /** Millrace as in its image: the launcher, and class paths without sources. */
  private Path image() throws IOException {
    Path image = directory.resolve("image");
    Files.createDirectories(image.resolve("bin"));
    Files.copy(HOME.resolve("bin/millrace"), image.resolve("bin/millrace"));
    Files.createSymbolicLink(image.resolve("inference"), HOME.resolve("inference"));
    Files.createDirectories(image.resolve("pipeline/target"));
    Files.writeString(
        image.resolve("pipeline/target/classpath"), System.getProperty("java.class.path"));
    return image;
  }

  /** Starts all services, each once those that it depends on are healthy, as an engine does. */
  void start() throws Exception {
    startKafka();
    startRegistry();
    awaitHealthy("kafka", "kafka", Map.of("9092", port("host")));
    Said topics = command("topics", List.of(), "");
    if (topics.exitCode() != 0) {
      throw new AssertionError("topics has ended with " + topics);
    }
    startJobManager();
    awaitHealthy("registry", "registry", Map.of("8080", port("registry")));
    startServe("serve-1");
    startServe("serve-2");
    awaitHealthy("jobmanager", "jobmanager", Map.of("8081", port("rest")));
    startTaskManager();
    startSubmit();
    awaitHealthy("taskmanager", "taskmanager", Map.of());
    awaitJobHealthy();
    for (String replica : List.of("serve-1", "serve-2")) {
      awaitHealthy("serve", replica, Map.of("8080", port(replica)));
    }
    if (startProxy()) {
      awaitHealthy("proxy", "proxy", Map.of("8080", port("proxy")));
    }
  }

  private void startKafka() throws IOException {
    Properties properties = new Properties();
    Map<String, String> environment = environment("kafka");
    environment.forEach(
        (name, value) -> {
          if (name.startsWith("KAFKA_") && !name.equals("KAFKA_HEAP_OPTS")) {
            String key = name.substring("KAFKA_".length()).toLowerCase(Locale.ROOT);
            properties.put(key.replace('_', '.'), value);
          }
        });
    Path file = directory.resolve("kafka.properties");
    try (var out = Files.newBufferedWriter(file)) {
      properties.store(out, null);
    }
    List<String> java = java(environment.get("KAFKA_HEAP_OPTS"));
    java.addAll(List.of("-cp", System.getProperty("java.class.path")));
    java.addAll(List.of("io.millrace.pipeline.chaos.KafkaNode", environment.get("CLUSTER_ID")));
    java.add(file.toString());
    start("kafka", java, Map.of());
  }

  private void startRegistry() throws IOException {
    Map<String, String> environment = environment("registry");
    List<String> java = java(environment.remove("JAVA_OPTS_APPEND"));
    environment.put("QUARKUS_HTTP_HOST", LoopbackPort.HOST);
    environment.put("QUARKUS_HTTP_PORT", port("registry"));
    java.addAll(List.of("-cp", System.getProperty("millrace.test.registry") + "/*"));
    java.add("io.quarkus.runner.GeneratedMain");
    start("registry", java, environment);
  }

  private void startJobManager() throws Exception {
    List<String> options = options("jobmanager");
    options.add("jobmanager.rpc.port=" + ports.get("jobmanager"));
    options.add("jobmanager.bind-host=" + LoopbackPort.HOST);
    Configuration configuration = configuration(options);
    JobManagerProcessSpec memory = JobManagerProcessUtils.processSpecFromConfig(configuration);
    List<String> java =
        java(JobManagerProcessUtils.generateJvmParametersStr(memory, configuration));
    startFlink(
        "jobmanager",
        java,
        configuration.get(CoreOptions.FLINK_JVM_OPTIONS),
        StandaloneSessionClusterEntrypoint.class,
        options,
        JobManagerProcessUtils.generateDynamicConfigsStr(memory));
  }

  private void startTaskManager() throws Exception {
    List<String> options = options("taskmanager");
    options.add("taskmanager.rpc.port=" + ports.get("taskmanager"));
    options.add("taskmanager.host=" + LoopbackPort.HOST);
    options.add("taskmanager.bind-host=" + LoopbackPort.HOST);
    options.add("jobmanager.rpc.port=" + ports.get("jobmanager"));
    Configuration configuration = configuration(options);
    var memory = TaskExecutorProcessUtils.processSpecFromConfig(configuration);
    startFlink(
        "taskmanager",
        java(ProcessMemoryUtils.generateJvmParametersStr(memory)),
        configuration.get(CoreOptions.FLINK_JVM_OPTIONS)
            + " "
            + configuration.get(CoreOptions.FLINK_TM_JVM_OPTIONS),
        TaskManagerRunner.class,
        options,
        TaskExecutorProcessUtils.generateDynamicConfigsStr(memory));
  }

  /** Those of the command in the file, and the addresses here. */
  private List<String> options(String service) {
    List<String> options = new ArrayList<>(FLINK);
    for (String argument : compose.<String>list(service, "command")) {
      if (argument.startsWith("-D")) {
        options.add(argument.substring(2));
      }
    }
    options.add("jobmanager.rpc.address=" + LoopbackPort.HOST);
    options.add("rest.address=" + LoopbackPort.HOST);
    options.add("rest.bind-address=" + LoopbackPort.HOST);
    options.add("rest.port=" + ports.get("rest"));
    options.add("metrics.reporter.prom.port=" + ports.get(service + "-metrics"));
    options.add("io.tmp.dirs=" + directory.resolve("tmp-" + service));
    options.add("web.upload.dir=" + directory.resolve("tmp-" + service));
    return options;
  }

  private static Configuration configuration(List<String> options) {
    Configuration dynamic = new Configuration();
    options.forEach(option -> dynamic.setString(option.split("=", 2)[0], option.split("=", 2)[1]));
    return GlobalConfiguration.loadConfiguration(HOME.resolve("docker/flink").toString(), dynamic);
  }

  private void startFlink(
      String service,
      List<String> java,
      String javaOptions,
      Class<?> main,
      List<String> options,
      String memory)
      throws IOException {
    Files.createDirectories(directory.resolve("tmp-" + service));
    java.addAll(words(javaOptions));
    java.add("-Dlog4j.configurationFile=" + HOME.resolve("docker/flink/log4j-console.properties"));
    java.addAll(List.of("-cp", System.getProperty("java.class.path"), main.getName()));
    java.addAll(List.of("--configDir", HOME.resolve("docker/flink").toString()));
    options.forEach(option -> java.addAll(List.of("-D", option)));
    java.addAll(words(memory));
    start(service, java, environment(service));
  }

  private void startSubmit() throws IOException {
    start("submit", launcher("submit", List.of()), millrace("submit"));
  }

  private void startServe(String replica) throws IOException {
    Map<String, String> environment = millrace("serve");
    environment.put("MILLRACE_SERVING_PORT", port(replica));
    List<String> command =
        launcher("serve", List.of()).stream()
            .map(
                argument ->
                    argument.replace(
                        "/var/lib/millrace/serve", directory.resolve(replica).toString()))
            .toList();
    start(replica, command, environment);
  }

  /** Whether there is one. Docker's name server is not, so it is told the replicas. */
  private boolean startProxy() throws IOException {
    Optional<Path> haproxy =
        Stream.of(System.getenv("PATH").split(File.pathSeparator))
            .map(folder -> Path.of(folder, "haproxy"))
            .filter(Files::isExecutable)
            .findFirst();
    if (haproxy.isEmpty()) {
      return false;
    }
    String text = Files.readString(HOME.resolve("docker/haproxy.cfg"));
    String servers =
        Stream.of("serve-1", "serve-2")
            .map(replica -> "server " + replica + " " + address(replica))
            .collect(Collectors.joining("\n    "));
    Path file = directory.resolve("haproxy.cfg");
    Files.writeString(
        file,
        text.replace("bind :8080", "bind " + address("proxy"))
            .replace("server-template serve 8 serve:8080", servers)
            .replace(" resolvers docker init-addr none", ""));
    start("proxy", List.of(haproxy.get().toString(), "-db", "-f", file.toString()), Map.of());
    return true;
  }

  /** Until Flink runs the job, which is what the health check of {@code submit} asks. */
  void awaitJobHealthy() throws Exception {
    awaitHealthy("submit", "submit", Map.of());
  }

  private void awaitHealthy(String service, String name, Map<String, String> more)
      throws Exception {
    Await.until(
        name + " is healthy", PATIENCE, () -> requireAlive(name) && isHealthy(service, more));
  }

  private boolean requireAlive(String name) {
    if (!isAlive(name)) {
      throw new AssertionError("%s has ended; see %s".formatted(name, log(name)));
    }
    return true;
  }

  boolean isAlive(String name) {
    return running.get(name).isAlive();
  }

  /** What the check of the job says now. */
  boolean isJobHealthy() throws Exception {
    return isHealthy("submit", Map.of());
  }

  private boolean isHealthy(String service, Map<String, String> more) throws Exception {
    List<String> check =
        compose.healthCheck(service).stream()
            .map(argument -> more.getOrDefault(argument, here(argument)))
            .toList();
    Process process =
        new ProcessBuilder(check)
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.appendTo(log("health").toFile()))
            .start();
    return process.waitFor(CHECK_SECONDS, TimeUnit.SECONDS) && process.exitValue() == 0;
  }

  /** What a command printed, and how it ended. */
  record Said(int exitCode, String text) {}

  /** {@code docker compose run tools ...}. */
  Said tools(String input, String... arguments) throws Exception {
    return command("tools", List.of(arguments), input);
  }

  private Said command(String service, List<String> arguments, String input) throws Exception {
    ProcessBuilder builder =
        new ProcessBuilder(launcher(service, arguments)).redirectErrorStream(true);
    builder.environment().putAll(millrace(service));
    Process process = builder.start();
    try (var in = process.getOutputStream()) {
      in.write(input.getBytes(UTF_8));
    }
    String text = new String(process.getInputStream().readAllBytes(), UTF_8);
    return new Said(process.waitFor(), text);
  }

  private List<String> launcher(String service, List<String> arguments) {
    List<String> command = new ArrayList<>(List.of("sh", home.resolve("bin/millrace").toString()));
    compose.<String>list(service, "command").forEach(argument -> command.add(here(argument)));
    arguments.forEach(argument -> command.add(here(argument)));
    return command;
  }

  /** With the variables of the image; short runs are not worth an optimizing compiler. */
  private Map<String, String> millrace(String service) {
    Map<String, String> environment = environment(service);
    environment.put("MILLRACE_LOGS", "none");
    environment.merge("MILLRACE_JAVA_OPTS", "-XX:TieredStopAtLevel=1", (a, b) -> a + " " + b);
    return environment;
  }

  private Map<String, String> environment(String service) {
    Map<String, String> environment = compose.environment(service);
    environment.replaceAll((name, value) -> here(value));
    return environment;
  }

  private String here(String text) {
    String result = text;
    for (Map.Entry<String, String> each : here.entrySet()) {
      result =
          Pattern.compile("(?<![\\w.])" + Pattern.quote(each.getKey()) + "(?![\\w])")
              .matcher(result)
              .replaceAll(Matcher.quoteReplacement(each.getValue()));
    }
    return result;
  }

  private static List<String> java(String options) {
    List<String> java = new ArrayList<>();
    java.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    java.addAll(List.of("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"));
    java.addAll(words(options));
    return java;
  }

  private static List<String> words(String text) {
    return Stream.of(text.split("\\s+")).filter(word -> !word.isEmpty()).toList();
  }

  private void start(String name, List<String> command, Map<String, String> environment)
      throws IOException {
    List<String> all = new ArrayList<>(List.of("/bin/sh", "-c", END_WITH_PARENT, "sh"));
    all.addAll(command);
    ProcessBuilder builder =
        new ProcessBuilder(all)
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.appendTo(log(name).toFile()));
    builder.environment().putAll(environment);
    started.put(name, builder);
    running.put(name, builder.start());
  }

  /** Starts it again, as its container would be. */
  void restart(String name) throws IOException {
    running.put(name, started.get(name).start());
  }

  /** As where the machine goes down and comes back: no order, and who ends is started again. */
  void restartAll() throws Exception {
    close();
    for (String name : started.keySet()) {
      restart(name);
    }
  }

  /** What its restart policy asks for. */
  private void restartEnded() throws IOException {
    for (String name : started.keySet()) {
      if (!isAlive(name)) {
        restart(name);
      }
    }
  }

  /** As {@link #awaitJobHealthy}, where services may have to start again until others are there. */
  void awaitJobBack() throws Exception {
    Await.until(
        "the job runs again",
        PATIENCE,
        () -> {
          restartEnded();
          return isJobHealthy();
        });
  }

  private Path log(String name) {
    return directory.resolve(name + ".log");
  }

  /** All that it has printed. */
  String printed(String name) throws IOException {
    return Files.readString(log(name));
  }

  /** With SIGKILL; returns once it is gone. */
  void kill(String name) throws Exception {
    Process process = running.get(name);
    process.getOutputStream().close();
    process.waitFor();
  }

  String port(String name) {
    return String.valueOf(ports.get(name));
  }

  /** Where predictions are answered: by each replica, and by the proxy if there is one. */
  List<String> predicting() {
    return Stream.of("serve-1", "serve-2", "proxy")
        .filter(running::containsKey)
        .map(this::address)
        .toList();
  }

  /** Folders that the commands should not have made in the image. */
  boolean hasLogFiles() throws IOException {
    try (Stream<Path> files = Files.walk(directory, 4)) {
      return files.anyMatch(file -> file.getFileName().toString().equals("logs"));
    }
  }

  @Override
  public void close() throws Exception {
    List<String> names = new ArrayList<>(running.keySet());
    for (String name : names) {
      kill(name);
    }
  }
}
