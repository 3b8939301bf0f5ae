package io.millrace.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Kustomize itself makes of deploy/kubernetes what the other tests take for it; skipped where there
 * is no kubectl. It asks no cluster.
 */
@Tag("integration")
@Timeout(60)
class KustomizeTest {
  private static final Path FOLDER =
      Path.of(System.getProperty("millrace.home"), "deploy", "kubernetes");

  @TempDir private Path directory;

  @BeforeAll
  static void requireKubectl() {
    boolean found =
        Arrays.stream(System.getenv("PATH").split(File.pathSeparator))
            .anyMatch(folder -> Files.isExecutable(Path.of(folder, "kubectl")));
    assumeTrue(found, "kubectl is not on the PATH");
  }

  @Test
  void itMakesTheSame() throws Exception {
    for (Path folder :
        new Path[] {
          FOLDER.resolve("base"),
          FOLDER.resolve("overlays/cpu"),
          FOLDER.resolve("overlays/gpu"),
          KubernetesTest.secured(directory)
        }) {
      Map<String, JsonNode> made = new TreeMap<>();
      KubernetesManifests.read(kustomize(folder))
          .forEach(each -> made.put(KubernetesManifests.key(each), each));

      assertThat(KubernetesManifests.render(folder)).isEqualTo(made);
    }
  }

  @Test
  void theExampleOfThePageIsTaken() throws Exception {
    String page = Files.readString(FOLDER.resolve("../../docs/kubernetes.md"));
    String example = page.substring(page.indexOf("apiVersion: kustomize"));
    Path folder = directory.toRealPath();
    String path = folder.relativize(FOLDER.toRealPath()).toString();
    Files.writeString(
        folder.resolve("kustomization.yaml"),
        example
            .substring(0, example.indexOf("```"))
            .replace("../millrace/deploy/kubernetes", path));

    String made = kustomize(folder);

    assertThat(made)
        .contains("image: images.example/millrace:0.1.0\n")
        .contains("image: images.example/millrace-serve:0.1.0\n")
        .contains("image: images.example/millrace-flink:0.1.0\n")
        .contains("MILLRACE_KAFKA_BOOTSTRAP_SERVERS: kafka.example:9092\n")
        .contains("MILLRACE_MODEL_STORE: ");
    for (JsonNode resource : KubernetesManifests.read(made)) {
      assertThat(KubernetesManifests.faults(resource)).isEmpty();
      assertThat(resource.at("/metadata/namespace").asText()).isEqualTo("millrace");
    }
  }

  private static String kustomize(Path folder) throws Exception {
    Process process =
        new ProcessBuilder("kubectl", "kustomize", folder.toString())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    String made = new String(process.getInputStream().readAllBytes());
    assertThat(process.waitFor()).isZero();
    return made;
  }
}
