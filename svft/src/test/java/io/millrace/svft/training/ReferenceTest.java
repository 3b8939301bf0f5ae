package io.millrace.svft.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Compares whole training runs with those of an independent implementation in float64. {@code
 * -Dreference.dir} names one directory of such runs, or a directory with several. The default are
 * the runs in the test's resources.
 */
@Tag("unit")
class ReferenceTest {
  private static final double LOGITS = 1e-4;
  private static final double RELATIVE = 1e-4;

  /** The directory of the runs, or of their directories. */
  static Path directory() throws URISyntaxException {
    String given = System.getProperty("reference.dir", "");
    return given.isBlank()
        ? Path.of(ReferenceTest.class.getResource("/reference").toURI())
        : asGiven(given);
  }

  static Stream<ReferenceRun> runs() throws Exception {
    Path root = directory();
    List<ReferenceRun> runs = ReferenceRun.in(root);
    assertThat(runs).as("runs in %s", root).isNotEmpty();
    return runs.stream();
  }

  /**
   * A relative path is resolved against the directory where the build was started: the project's
   * root, or this module.
   */
  private static Path asGiven(String path) {
    Path fromRoot = Path.of("..").resolve(path);
    return Files.isDirectory(fromRoot) ? fromRoot : Path.of(path);
  }

  @ParameterizedTest
  @MethodSource("runs")
  void aRunGivesWhatTheReferenceGives(ReferenceRun run) throws IOException {
    ReferenceRun.Result one = run.with(1);
    ReferenceRun.Result two = run.with(2);

    for (int step = 0; step < run.losses().length; step++) {
      assertThat(one.losses()[step])
          .as("loss of step %d", step)
          .isCloseTo(run.losses()[step], within(LOGITS));
      assertThat(one.logits()[step].length).isEqualTo(run.logits()[step].length);
      for (int i = 0; i < run.logits()[step].length; i++) {
        for (int label = 0; label < run.logits()[step][i].length; label++) {
          assertThat((double) one.logits()[step][i][label])
              .as("step %d, example %d, label %d", step, i, label)
              .isCloseTo(run.logits()[step][i][label], within(LOGITS));
        }
      }
    }
    assertThat(one.differences()).isNotEmpty();
    one.differences()
        .forEach((tensor, difference) -> assertThat(difference).as(tensor).isLessThan(RELATIVE));
    assertThat(two.sha256()).isEqualTo(one.sha256());
    assertThat(two.logits()).isDeepEqualTo(one.logits());
    System.out.println(run + ": largest differences: " + run.worst(one));
  }

  @ParameterizedTest
  @MethodSource("runs")
  void aDirectoryThatIsNamedItselfIsRead(ReferenceRun run) throws IOException {
    assertThat(ReferenceRun.in(run.directory()))
        .extracting(Object::toString)
        .contains(run.toString());
    assertThat(Files.isRegularFile(run.directory().resolve("expected.json"))).isTrue();
  }
}
