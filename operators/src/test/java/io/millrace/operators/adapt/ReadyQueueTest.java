package io.millrace.operators.adapt;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.operators.adapt.AdaptSettings.Groups;
import io.millrace.schemas.BatchClosedBy;
import io.millrace.schemas.ReadyBatch;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Which batches make a group. Each has 4 examples and 30 tokens; a group takes 100. */
@Tag("unit")
class ReadyQueueTest {
  private final ReadyQueue queue =
      new ReadyQueue(new Groups(100, Duration.ofMillis(10)), () -> true);

  @Test
  void aGroupTakesTheDomainsInTheirOrderUntilItHasEnoughTokens() {
    for (String domain : List.of("a", "b", "c", "d", "e")) {
      add(domain);
    }

    assertThat(take()).containsExactly("a", "b", "c", "d");
    assertThat(take()).containsExactly("e");
    assertThat(queue.isEmpty()).isTrue();
  }

  @Test
  void aDomainWithMoreBatchesStandsAtTheEndAgain() {
    for (String domain : List.of("a", "a", "a", "b", "c", "d", "e")) {
      add(domain);
    }

    assertThat(take()).containsExactly("a", "b", "c", "d");
    assertThat(take()).containsExactly("e", "a");
    assertThat(take()).containsExactly("a");
  }

  @Test
  void aGroupIsDueAsSoonAsItHasEnoughTokens() {
    add("a");
    add("b");
    add("c");
    assertThat(queue.isDue()).isFalse();
    add("d");
    assertThat(queue.isDue()).isTrue();
    take();

    assertThat(queue.isDue()).isFalse();
  }

  @Test
  void aGroupIsDueWhileADomainHasTwoBatches() {
    add("a");
    add("b");
    assertThat(queue.isDue()).isFalse();
    add("a");
    assertThat(queue.isDue()).isTrue();
    take();

    assertThat(queue.has("a")).isTrue();
    assertThat(queue.isDue()).isFalse();
  }

  @Test
  void anOnlyDomainWaitsForNobody() {
    add("a");
    assertThat(queue.isDue()).isTrue();
    queue.seen("b");

    assertThat(queue.isDue()).isFalse();
  }

  @Test
  void withoutAWaitEachBatchIsDueAlone() {
    ReadyQueue none = new ReadyQueue(Groups.NONE, () -> true);
    none.seen("a");
    none.seen("b");
    none.add("a", new ReadyBatch(4, 30, BatchClosedBy.COUNT));
    none.add("b", new ReadyBatch(4, 30, BatchClosedBy.COUNT));

    assertThat(none.isDue()).isTrue();
    assertThat(none.take()).hasSize(1);
  }

  @Test
  void whereEachStepIsTakenByItselfNoBatchWaits() {
    ReadyQueue alone = new ReadyQueue(Groups.DEFAULT, () -> false);
    alone.seen("a");
    alone.seen("b");
    alone.add("a", new ReadyBatch(4, 30, BatchClosedBy.COUNT));

    assertThat(alone.isDue()).isTrue();
  }

  @Test
  void nothingIsDueWhereNothingIsReady() {
    assertThat(queue.isDue()).isFalse();
    assertThat(new ReadyQueue(Groups.NONE, () -> true).isDue()).isFalse();
  }

  private void add(String domain) {
    queue.seen(domain);
    queue.add(domain, new ReadyBatch(4, 30, BatchClosedBy.COUNT));
  }

  private List<String> take() {
    return queue.take().stream().map(Map.Entry::getKey).toList();
  }
}
