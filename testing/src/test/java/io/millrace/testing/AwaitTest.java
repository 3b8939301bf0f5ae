package io.millrace.testing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class AwaitTest {
  private final AtomicInteger count = new AtomicInteger();

  @Test
  void theFirstValueWantedComesBack() throws Exception {
    assertThat(Await.value("three", count::incrementAndGet, n -> n >= 3)).isEqualTo(3);
    assertThat(count).hasValue(3);
  }

  @Test
  void whatWasMissedIsNamedWithTheLastValueSeen() {
    assertThatThrownBy(() -> Await.value("it is odd", Duration.ZERO, () -> 4, n -> n % 2 == 1))
        .isInstanceOf(AssertionError.class)
        .hasMessage("not within 0 ms: it is odd; last seen: 4");
  }

  @Test
  void aConditionThatFailsEndsTheWait() {
    assertThatThrownBy(
            () ->
                Await.until(
                    "never",
                    () -> {
                      throw new IllegalStateException("the job is dead");
                    }))
        .hasMessage("the job is dead");
  }

  @Test
  void aTimeoutWhileTheConditionIsAskedNamesItToo() {
    assertThatThrownBy(
            () ->
                Await.until(
                    "it ends",
                    () -> {
                      throw new InterruptedException();
                    }))
        .isInstanceOf(AssertionError.class)
        .hasMessage("interrupted while waiting: it ends; last seen: null");
    assertThat(Thread.interrupted()).isTrue();
  }

  @Test
  void aTestsOwnTimeoutNamesItToo() {
    Thread.currentThread().interrupt();

    assertThatThrownBy(() -> Await.value("it ends", () -> "running", "over"::equals))
        .isInstanceOf(AssertionError.class)
        .hasMessage("interrupted while waiting: it ends; last seen: running");
    assertThat(Thread.interrupted()).isTrue();
  }
}
