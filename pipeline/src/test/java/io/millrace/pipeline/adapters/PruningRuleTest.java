package io.millrace.pipeline.adapters;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Instant;
import java.util.List;
import java.util.NavigableMap;
import java.util.NavigableSet;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class PruningRuleTest {
  private final NavigableMap<Long, Instant> versions = new TreeMap<>();
  private final NavigableSet<Long> snapshots = new TreeSet<>();

  PruningRuleTest() {
    for (long number = 1; number <= 20; number++) {
      versions.put(number, Instant.EPOCH.plusSeconds(number));
    }
  }

  @Test
  void theNewestStayAndTheOthersGo() {
    assertThat(deletable(new PruningRule(17, null))).containsExactly(1L, 2L, 3L);
    assertThat(deletable(new PruningRule(100, null))).isEmpty();
    assertThat(deletable(new PruningRule(0, null))).doesNotContain(20L).hasSize(19);
  }

  @Test
  void whatIsNotOldStaysAndSoDoesTheNewestHoweverOldItIs() {
    assertThat(deletable(new PruningRule(1, Instant.EPOCH.plusSeconds(3)))).containsExactly(1L, 2L);
    assertThat(deletable(new PruningRule(18, Instant.EPOCH.plusSeconds(5))))
        .containsExactly(1L, 2L);
    assertThat(deletable(new PruningRule(1, Instant.MAX))).doesNotContain(20L).hasSize(19);
  }

  @Test
  void whatARolloutNamesStays() {
    assertThat(deletable(new PruningRule(17, null), 2L, 99L)).containsExactly(1L, 3L);
  }

  @Test
  void whatAReplayOfThoseThatStayNeedsStays() {
    snapshots.addAll(List.of(4L, 8L, 12L, 16L));

    assertThat(deletable(new PruningRule(2, null), 10L))
        .containsExactly(1L, 2L, 3L, 4L, 5L, 6L, 7L, 8L, 11L, 12L, 13L, 14L, 15L, 16L);
  }

  private NavigableSet<Long> deletable(PruningRule rule, Long... named) {
    return rule.deletable(versions, List.of(named), snapshots);
  }
}
