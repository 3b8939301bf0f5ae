package io.millrace.benchmarks.domains;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.client.process.CommandLines;
import io.millrace.client.process.ParentWatch;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The measurement itself, small, with the training's own processes. */
@Tag("integration")
@Timeout(400)
class DomainLoadTest {
  @TempDir Path home;

  @Test
  void aTrainingOfManyDomainsThatIsKilledTrainsEachExampleOnce() throws Exception {
    writeLauncher();
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    PrintStream out = System.out;
    System.setOut(new PrintStream(bytes, true, StandardCharsets.UTF_8));
    try {
      assertThat(
              CommandLines.run(
                  new DomainLoadCommand(home),
                  "--domains=100",
                  "--examples=600",
                  "--batch=2",
                  "--kill-at-checkpoint=5",
                  "--heap=512m",
                  "--look-every=2",
                  "--data=" + home.resolve("data"),
                  "--set=checkpoint.interval=300ms",
                  "--set=model.store=" + System.getProperty("millrace.test.models")))
          .isZero();
    } finally {
      System.setOut(out);
    }

    assertThat(bytes.toString(StandardCharsets.UTF_8))
        .contains("| run, trained | after s | examples | heap, MB | resident, MB |")
        .contains("\n| 2, ")
        .contains("600 examples in 300 steps of 100 domains.")
        .contains("Every example was trained on exactly once.")
        .doesNotContain("nearly all zeros");
  }

  /** As {@code bin/millrace}, with the tests' class path. */
  private void writeLauncher() throws IOException {
    Path launcher = Files.createDirectories(home.resolve("bin")).resolve("millrace");
    Files.writeString(
        launcher,
        """
        #!/bin/sh
        exec '%s' %s -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dai.djl.offline=true \
          '-Dmillrace.home=%s' '-Dmillrace.logs=%s' $MILLRACE_JAVA_OPTS -cp '%s' \
          %s io.millrace.pipeline.cli.MillraceCommand "$@"
        """
            .formatted(
                Path.of(System.getProperty("java.home"), "bin", "java"),
                System.getProperty("millrace.test.opens"),
                System.getProperty("millrace.home"),
                home.resolve("logs"),
                System.getProperty("java.class.path"),
                ParentWatch.class.getName()));
    if (!launcher.toFile().setExecutable(true)) {
      throw new IOException("cannot make " + launcher + " executable");
    }
  }
}
