package io.millrace.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.client.settings.Settings;
import io.millrace.client.settings.SettingsOptions;
import io.millrace.pipeline.cli.MillraceCommand;
import io.millrace.pipeline.settings.JobSettings;
import io.millrace.pipeline.submission.ApplicationJob;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.GlobalConfiguration;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.runtime.clusterframework.TaskExecutorProcessSpec;
import org.apache.flink.runtime.clusterframework.TaskExecutorProcessUtils;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

/** Holds deploy/kubernetes against Kubernetes, the operator's definition, Flink and the code. */
@Tag("unit")
class KubernetesTest {
  private static final Path HOME = Path.of(System.getProperty("millrace.home"));
  private static final Path FOLDER = HOME.resolve("deploy/kubernetes");
  private static final String TRAINING = "FlinkDeployment millrace-training";

  /** What the operator sets, or an application has no use for. */
  private static final Set<String> OF_A_SESSION =
      Set.of(
          "jobmanager.bind-host",
          "jobmanager.memory.process.size",
          "jobmanager.rpc.address",
          "jobmanager.rpc.port",
          "rest.address",
          "rest.bind-address",
          "rest.port",
          "taskmanager.bind-host",
          "taskmanager.rpc.port",
          "web.submit.enable");

  @TempDir private static Path directory;
  private static Map<String, JsonNode> cpu;
  private static Map<String, JsonNode> gpu;

  /** The GPUs, with all components. */
  private static Map<String, JsonNode> whole;

  @BeforeAll
  static void render() throws IOException {
    cpu = KubernetesManifests.render(FOLDER.resolve("overlays/cpu"));
    gpu = KubernetesManifests.render(FOLDER.resolve("overlays/gpu"));
    whole = KubernetesManifests.render(secured(directory));
  }

  /** As docs/kubernetes.md says how to add a component. */
  static Path secured(Path directory) throws IOException {
    Path folder = directory.toRealPath();
    Files.writeString(
        folder.resolve("kustomization.yaml"),
        """
        apiVersion: kustomize.config.k8s.io/v1beta1
        kind: Kustomization
        resources: [%1$s/overlays/gpu]
        components: [%1$s/components/secured]
        """
            .formatted(folder.relativize(FOLDER.toRealPath())));
    return folder;
  }

  @Test
  void everyResourceIsAsItsDefinitionSays() throws Exception {
    List<String> faults = new ArrayList<>();
    for (Map<String, JsonNode> rendered : List.of(cpu, gpu, whole)) {
      assertThat(rendered).hasSize(11);
      for (JsonNode resource : rendered.values()) {
        faults.addAll(KubernetesManifests.faults(resource));
      }
    }

    assertThat(faults).isEmpty();
  }

  @Test
  void whatIsNotAsItsDefinitionSaysIsFound() throws Exception {
    JsonNode serve = cpu.get("StatefulSet serve").deepCopy();
    ((ObjectNode) serve.at("/spec/template/spec/containers/0/readinessProbe")).put("periods", 5);
    assertThat(KubernetesManifests.faults(serve)).singleElement().asString().contains("`periods`");

    JsonNode budget = cpu.get("PodDisruptionBudget serve").deepCopy();
    ((ObjectNode) budget.at("/spec/selector")).put("matchLabels", "millrace-serve");
    assertThat(KubernetesManifests.faults(budget))
        .singleElement()
        .asString()
        .contains("matchLabels");

    ObjectNode job = cpu.get("Job millrace-topics").deepCopy();
    ((ObjectNode) job.get("spec")).remove("template");
    assertThat(KubernetesManifests.faults(job)).singleElement().asString().contains("`template`");

    ObjectNode replicas = cpu.get("StatefulSet serve").deepCopy();
    ((ObjectNode) replicas.get("spec")).put("replicas", "two");
    assertThat(KubernetesManifests.faults(replicas)).singleElement().asString().contains("two");

    JsonNode training = cpu.get(TRAINING).deepCopy();
    ((ObjectNode) training.at("/spec/job")).put("upgradeMode", "savepoints");
    ((ObjectNode) training.at("/spec/taskManager/resource")).put("gpu", 1);
    ((ObjectNode) training.at("/spec/podTemplate/spec/containers/0")).put("volumes", "none");
    assertThat(KubernetesManifests.faults(training)).hasSizeGreaterThanOrEqualTo(3);
  }

  @Test
  void everyVariableIsASettingAndItsValueIsTaken() throws Exception {
    Set<String> known = ComposeFileTest.variables("docs/settings.md");
    for (JsonNode resource : whole.values()) {
      assertThat(environment(resource).keySet())
          .filteredOn(name -> name.startsWith("MILLRACE_") && !name.equals("MILLRACE_JAVA_OPTS"))
          .allMatch(
              name ->
                  known.contains(name)
                      || known.contains(name.replaceFirst("_FILE$", ""))
                      || name.startsWith("MILLRACE_KAFKA_"));
    }
    CommandLine submit = new CommandLine(new MillraceCommand()).getSubcommands().get("submit");
    SettingsOptions options = (SettingsOptions) submit.getMixins().get("options");
    Map<String, String> settings = environment(whole.get(TRAINING));
    // The file is in the cluster alone.
    settings.remove("MILLRACE_KAFKA_SASL_JAAS_CONFIG_FILE");
    Settings taken = options.load(settings);

    assertThat(taken.get(JobSettings.DEVICE)).isEqualTo("gpu");
    assertThat(taken.get(JobSettings.PARALLELISM))
        .isEqualTo(whole.get(TRAINING).at("/spec/job/parallelism").asInt());
  }

  /** The operator's configuration takes the place of the image's. */
  @Test
  void flinkIsSetUpAsInItsImage() {
    Map<String, String> image =
        new TreeMap<>(
            GlobalConfiguration.loadConfiguration(HOME.resolve("docker/flink").toString()).toMap());
    Map<String, String> here = configuration(cpu).toMap();
    image.keySet().removeAll(OF_A_SESSION);
    here.keySet()
        .removeIf(key -> key.startsWith("high-availability.") || key.startsWith("execution."));

    assertThat(here).isEqualTo(image);
  }

  @Test
  void theProcessesFitTheirMemory() {
    for (Map<String, JsonNode> rendered : List.of(cpu, gpu)) {
      JsonNode spec = rendered.get(TRAINING).get("spec");
      MemorySize size = MemorySize.parse(spec.at("/taskManager/resource/memory").asText());
      Configuration configuration = configuration(rendered);
      // Refused where the parts do not make the whole.
      configuration.set(TaskManagerOptions.TOTAL_PROCESS_MEMORY, size);
      TaskExecutorProcessSpec taskManager =
          TaskExecutorProcessUtils.processSpecFromConfig(configuration);

      assertThat(taskManager.getTotalProcessMemorySize()).isEqualTo(size);
    }
    TaskExecutorProcessSpec withGpu =
        TaskExecutorProcessUtils.processSpecFromConfig(configuration(gpu));
    assertThat(withGpu.getExtendedResources()).containsOnlyKeys("gpu");
    assertThat(withGpu.getTaskHeapSize().getMebiBytes())
        .isGreaterThan(JobSettings.SLOT_HEAP_MIB.defaultValue());
    assertThat(withGpu.getTaskOffHeapSize().getMebiBytes())
        .isGreaterThan(JobSettings.SLOT_OFF_HEAP_MIB.defaultValue());
  }

  @Test
  void theJobIsTheOneThatIsBuilt() throws Exception {
    JsonNode job = cpu.get(TRAINING).at("/spec/job");
    String version =
        Files.readString(HOME.resolve("pipeline/pom.xml"))
            .replaceAll("(?s).*?<version>(.*?)</version>.*", "$1");

    assertThat(job.get("entryClass").asText()).isEqualTo(ApplicationJob.class.getName());
    assertThat(job.get("jarURI").asText()).endsWith("/lib/millrace-pipeline-" + version + ".jar");
    assertThat(job.get("upgradeMode").asText()).isEqualTo("savepoint");
  }

  @Test
  void imagesAreThoseOfTheContainers() throws Exception {
    ComposeFile compose = ComposeFile.read("docker-compose.yml");
    List<String> built =
        compose.services().values().stream().map(each -> (String) each.get("image")).toList();
    List<String> used =
        Stream.concat(
                whole.values().stream().flatMap(each -> each.findValuesAsText("image").stream()),
                Stream.of(whole.get(TRAINING).at("/spec/image").asText()))
            .toList();

    assertThat(used).hasSizeGreaterThanOrEqualTo(3);
    assertThat(built).containsAll(used);
  }

  /** All that pods name is there, but for Secrets: none is in the tree, the page says how to. */
  @Test
  void everythingNamedIsThereAndNoSecretIs() throws Exception {
    String page = Files.readString(HOME.resolve("docs/kubernetes.md"));
    Set<String> secrets = new TreeSet<>();
    for (JsonNode resource : whole.values()) {
      assertThat(resource.get("kind").asText()).isNotEqualTo("Secret");
      secrets.addAll(resource.findValuesAsText("secretName"));
      for (String claim : resource.findValuesAsText("claimName")) {
        assertThat(whole).containsKey("PersistentVolumeClaim " + claim);
      }
      for (JsonNode settings : resource.findValues("configMapRef")) {
        assertThat(whole).containsKey("ConfigMap " + settings.get("name").asText());
      }
    }

    assertThat(secrets).containsExactly("millrace-kafka", "millrace-signing", "millrace-tokens");
    assertThat(secrets).allMatch(name -> page.contains("create secret generic " + name));
    String service = whole.get("StatefulSet serve").at("/spec/serviceName").asText();
    assertThat(whole.get("Service " + service).at("/spec/clusterIP").asText()).isEqualTo("None");
  }

  /** Another process would be one that does not answer; another name is refused. */
  @Test
  void thePageAsksTheReplicasThatThereAre() {
    for (Map<String, JsonNode> rendered : List.of(cpu, gpu)) {
      JsonNode serve = rendered.get("StatefulSet serve");
      List<String> replicas =
          IntStream.range(0, serve.at("/spec/replicas").asInt())
              .mapToObj(replica -> "serve-" + replica + ".serve-replicas")
              .toList();
      String asked =
          environment(rendered.get("Deployment dashboard")).get("MILLRACE_DASHBOARD_SERVING");
      String allowed = environment(serve).get("MILLRACE_SERVING_ALLOWED_HOSTS");

      assertThat(asked.split(","))
          .isEqualTo(replicas.stream().map(name -> "http://" + name + ":8080").toArray());
      assertThat(allowed.split(",")).containsAll(replicas);
    }
  }

  /** The variables of a service named millrace would come among the settings. */
  @Test
  void podsAreNotToldOfServicesAndRunAsNobodyWithRights() {
    for (JsonNode resource : whole.values()) {
      for (JsonNode pod : resource.findValues("template")) {
        assertPod(pod.get("spec"));
      }
    }
    assertPod(whole.get(TRAINING).at("/spec/podTemplate/spec"));
  }

  private static void assertPod(JsonNode pod) {
    assertThat(pod.get("enableServiceLinks").asBoolean(true)).isFalse();
    assertThat(pod.at("/securityContext/runAsNonRoot").asBoolean()).isTrue();
    assertThat(pod.at("/containers/0/securityContext/allowPrivilegeEscalation").asBoolean(true))
        .isFalse();
  }

  private static Configuration configuration(Map<String, JsonNode> rendered) {
    Configuration configuration = new Configuration();
    rendered
        .get(TRAINING)
        .at("/spec/flinkConfiguration")
        .properties()
        .forEach(option -> configuration.setString(option.getKey(), option.getValue().asText()));
    return configuration;
  }

  /** The variables of a resource's first container. */
  private static Map<String, String> environment(JsonNode resource) {
    Map<String, String> environment = new TreeMap<>();
    if (!resource.findValues("configMapRef").isEmpty()) {
      whole
          .get("ConfigMap millrace-settings")
          .get("data")
          .properties()
          .forEach(each -> environment.put(each.getKey(), each.getValue().asText()));
    }
    for (JsonNode variables : resource.findValues("env")) {
      variables.forEach(
          each -> environment.put(each.get("name").asText(), each.get("value").asText()));
    }
    return environment;
  }
}
