package io.millrace.pipeline.submission;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.pipeline.submission.JobHealth.Checkpoints;
import io.millrace.pipeline.submission.JobHealth.Failure;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.apache.flink.api.common.JobID;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What is made of what Flink answers; other tests ask Flink. */
@Tag("unit")
class JobWatchTest {
  private static final long MINUTE = 60_000;

  private final List<String> said = new ArrayList<>();
  private final List<Failure> failures = new ArrayList<>();
  private final JobWatch watch =
      new JobWatch(JobHealth.of("127.0.0.1", 1, new JobID()), said::add, Duration.ZERO);

  @AfterEach
  void close() {
    watch.close();
  }

  @Test
  void everyFailureIsSaidOnce() {
    fail(0);
    hear(0);
    hear(0);
    fail(1);
    failures.add(new Failure(2, "", "FlinkException", "the job manager is gone"));
    hear(0);

    assertThat(said)
        .containsExactly(
            "the job restarts (1st time): adapt: no model",
            "the job restarts (2nd time): adapt: no model",
            "the job restarts (3rd time): the job manager is gone");
  }

  @Test
  void threeEqualFailuresInARowAreOnTheSameInputAndTheEnd() {
    fail(0);
    failures.add(new Failure(1, "publish", "TimeoutException", "Kafka does not answer"));
    fail(2);
    fail(3);
    hear(0);
    fail(4);

    assertThatThrownBy(() -> hear(0))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("the job failed 3 times in the same way on the same input: adapt: no model");
  }

  @Test
  void equalFailuresThatMayPassAreNotTheEnd() {
    for (int i = 0; i < 9; i++) {
      failures.add(new Failure(i, "publish", "TimeoutException", "Kafka does not answer"));
    }
    hear(0);

    assertThat(said).hasSize(9);
  }

  @Test
  void tenRestartsInARowThatCommitNothingAreTheEnd() {
    for (int i = 0; i < 9; i++) {
      failAnew(i);
    }
    hear(0);
    failAnew(9);

    assertThatThrownBy(() -> hear(0))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage(
            "the job restarted 10 times and committed nothing in between, the last time because of"
                + " adapt: no model 9");
  }

  @Test
  void aJobThatCommitsInBetweenMayRestartForEver() {
    for (int i = 0; i < 100; i++) {
      fail(i * MINUTE);
      hear(i + 1);
    }

    assertThat(said).hasSize(100).last().asString().startsWith("the job restarts (100th time)");
  }

  @Test
  void threeRestartsInFiveMinutesAreTheEndToo() {
    failAnew(0);
    failAnew(5 * MINUTE);
    hear(0);
    failAnew(5 * MINUTE + 1);

    assertThatThrownBy(() -> hear(0)).hasMessageStartingWith("the job restarted 3 times");
  }

  @Test
  void thatCheckpointsFailIsSaidOncePerStreak() {
    checkpoints(5, 0);
    checkpoints(5, 2);
    assertThat(said).isEmpty();
    checkpoints(5, 3);
    checkpoints(5, 4);
    checkpoints(5, 8);
    assertThat(said).containsExactly("checkpoints fail, so nothing is published: no space");
    checkpoints(6, 8);
    checkpoints(6, 11);

    assertThat(said).hasSize(2);
  }

  @Test
  void checkpointsDoNotCountWhileTasksStart() {
    for (int i = 0; i < 8; i++) {
      watch.hear(new Checkpoints(0, 5 * i, Optional.empty()), false);
    }
    checkpoints(0, 40);
    checkpoints(0, 42);
    assertThat(said).isEmpty();
    checkpoints(0, 43);

    assertThat(said).hasSize(1);
  }

  @Test
  void aSessionThatDoesNotAnswerIsNoFailure() {
    watch.look(0);

    assertThat(said).isEmpty();
  }

  @Test
  void aReasonIsTheInnermostCause() {
    assertThat(
            JobHealth.rootOf(
                """
                java.lang.RuntimeException: outer: 1
                \tat a.B.c(D.java:1)
                \tSuppressed: java.io.IOException: not this
                \tCaused by: java.io.IOException: nor this
                Caused by: java.lang.RuntimeException: middle
                \tat a.B.c(D.java:2)
                Caused by: org.apache.kafka.common.errors.TimeoutException: no answer: 3 s
                \tat a.B.c(D.java:3)
                """))
        .isEqualTo("no answer: 3 s");
    assertThat(JobHealth.rootOf("java.lang.NullPointerException\n\tat a.B.c(D.java:1)"))
        .isEqualTo("NullPointerException");
    assertThat(JobHealth.rootOf("java.nio.file.FileAlreadyExistsException: /a.b/c"))
        .isEqualTo("FileAlreadyExistsException: /a.b/c");
    assertThat(JobHealth.taskOf("Source: a -> b (1/4) - execution #2")).isEqualTo("Source: a -> b");
    assertThat(JobHealth.taskOf(null)).isEmpty();
  }

  @Test
  void ordinalsReadAsPeopleSayThem() {
    assertThat(Stream.of(1L, 2L, 3L, 4L, 11L, 12L, 13L, 21L, 102L, 111L).map(JobWatch::ordinal))
        .containsExactly(
            "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd", "111th");
  }

  private void fail(long timestamp) {
    failures.add(new Failure(timestamp, "adapt", "IOException", "no model"));
  }

  /** For another reason each time. */
  private void failAnew(long timestamp) {
    failures.add(new Failure(timestamp, "adapt", "IOException", "no model " + timestamp));
  }

  private void hear(long committed) {
    watch.hear(failures, committed);
  }

  private void checkpoints(long completed, long failed) {
    watch.hear(new Checkpoints(completed, failed, Optional.of("no space")), true);
  }
}
