package io.millrace.pipeline.demo;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.client.kafka.Connection;
import io.millrace.client.process.Home;
import io.millrace.client.settings.Setting;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.console.StopSignal;
import io.millrace.pipeline.embedded.EmbeddedStack;
import io.millrace.pipeline.input.ExampleLimits;
import io.millrace.pipeline.settings.JobSettings;
import io.millrace.svft.model.ModelStore;
import io.millrace.testing.Await;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The whole, small: Kafka, registry, Flink and a serving process, on WordNet. */
@Tag("integration")
@Timeout(300)
class DemoTest {
  @TempDir private Path directory;

  @Test
  void everyVersionServesAndNothingIsLost() throws Exception {
    Settings settings =
        Settings.of(
            Stream.of(
                    JobSettings.ALL,
                    EmbeddedStack.SETTINGS,
                    ExampleLimits.SETTINGS,
                    Connection.SETTINGS)
                .<Setting<?>>flatMap(List::stream)
                .toList(),
            null,
            List.of("model.store=" + models(), "publish.everySteps=4"));
    new ModelStore(Path.of(models())).prepare(ModelStore.MINILM, (name, done, total) -> {});
    List<String> said = new ArrayList<>();

    List<String> kept = new ArrayList<>();
    List<Integer> decided = new ArrayList<>();

    DemoResult result;
    try (StopSignal stop = StopSignal.install()) {
      result =
          new Demo(settings, directory, serve(), stop, said::add, 200, 130)
              .run(
                  shown -> kept.add(page(said)),
                  Optional.of(
                      () -> {
                        awaitAllRead(said);
                        decided.add(pin(said, "guessed"));
                        decided.add(pin(said, said.get(2).replaceAll(".*: ", "")));
                      }))
              .orElseThrow();
    }

    // The page was named before anything happened on it, and is there until the end.
    assertThat(said.get(1)).startsWith("The page is at http://127.0.0.1:");
    assertThat(decided).containsExactly(401, 200);
    assertThat(kept.get(0)).contains("\"domain\":\"wordnet\"", "\"examples\":330");

    // 330 examples are 20 full batches and one of 10; a version every 4 steps, and one at the end.
    assertThat(result.versionsPublished()).isEqualTo(6);
    assertThat(result.versionsLive()).isEqualTo(6);
    assertThat(result.everyVersionServed()).isTrue();
    assertThat(result.labelToLiveMillis()).hasSize(330).allMatch(millis -> millis > 0);
    assertThat(result.predictions()).isPositive();
    assertThat(result.failedPredictions()).isZero();
    assertThat(result.rows())
        .hasSize(4)
        .allSatisfy(row -> assertThat(row.frozen()).as(row.part()).isBetween(0.05, 1.0));
    assertThat(result.lines()).anyMatch(line -> line.startsWith("Versions       6 published, 6"));
  }

  /** The job that goes on after the stream has committed all of it. */
  private static void awaitAllRead(List<String> said) {
    try {
      Await.until("nothing waits", () -> page(said).contains("\"lag\":0,"));
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }

  /** What the page shows at the end. */
  private static String page(List<String> said) {
    URI page = URI.create(said.get(1).substring("The page is at ".length()));
    try {
      return HttpClient.newHttpClient()
          .send(
              HttpRequest.newBuilder(page.resolve("/v1/dashboard")).build(),
              BodyHandlers.ofString())
          .body();
    } catch (IOException | InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private static int pin(List<String> said, String token) {
    URI page = URI.create(said.get(1).substring("The page is at ".length()));
    try {
      return HttpClient.newHttpClient()
          .send(
              HttpRequest.newBuilder(page.resolve("/v1/rollouts/pin"))
                  .header("Content-Type", "application/json")
                  .header("Authorization", "Bearer " + token)
                  .POST(BodyPublishers.ofString("{\"domain\":\"wordnet\",\"version\":1}"))
                  .build(),
              BodyHandlers.ofString())
          .statusCode();
    } catch (IOException | InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private static String models() {
    return System.getProperty("millrace.test.models");
  }

  /** The serving process's own class path, which its build left behind. */
  static List<String> serve() throws Exception {
    Path target = Home.directory().resolve("inference").resolve("target");
    return List.of(
        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
        "-Xmx512m",
        "-XX:+UseSerialGC",
        "-Dai.djl.offline=true",
        "-Dmillrace.home=" + Home.directory(),
        "-Dmillrace.logs=" + System.getProperty("millrace.logs"),
        "-cp",
        target.resolve("classes") + ":" + Files.readString(target.resolve("classpath")).trim(),
        "io.millrace.client.process.ParentWatch",
        "io.millrace.inference.ServeCommand");
  }
}
