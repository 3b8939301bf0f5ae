package io.millrace.pipeline.job;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class CommitDeadlineTest {
  private final AtomicLong seconds = new AtomicLong();
  private final CommitDeadline deadline = new CommitDeadline(Duration.ofSeconds(100));

  @BeforeEach
  void start() {
    deadline.start(() -> Duration.ofSeconds(seconds.get()).toNanos());
  }

  @Test
  void aJobWhoseCheckpointsFailForTooLongFails() {
    for (int checkpoint = 1; checkpoint <= 10; checkpoint++) {
      seconds.addAndGet(10);
      deadline.beginCheckpoint(checkpoint);
    }
    seconds.addAndGet(10);

    assertThatThrownBy(() -> deadline.beginCheckpoint(11))
        .hasMessageStartingWith("no checkpoint has completed for 110 s, so nothing could be");
  }

  /** What was written after a checkpoint began is not committed by it. */
  @Test
  void timeCountsFromTheBeginningOfTheLastThatCompleted() {
    deadline.beginCheckpoint(1);
    seconds.set(50);
    deadline.beginCheckpoint(2);
    seconds.set(90);
    deadline.notifyCheckpointComplete(2);

    seconds.set(150);
    assertThatCode(() -> deadline.beginCheckpoint(3)).doesNotThrowAnyException();
    seconds.set(151);
    assertThatThrownBy(() -> deadline.beginCheckpoint(4)).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void checkpointsThatAreSlowButCompleteDoNoHarm() {
    for (int checkpoint = 1; checkpoint <= 5; checkpoint++) {
      seconds.addAndGet(200);
      deadline.beginCheckpoint(checkpoint);
      deadline.notifyCheckpointComplete(checkpoint);
    }
  }
}
