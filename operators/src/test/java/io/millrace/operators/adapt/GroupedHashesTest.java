package io.millrace.operators.adapt;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.operators.MiniLm;
import io.millrace.operators.Received;
import io.millrace.operators.adapt.AdaptSettings.Groups;
import io.millrace.schemas.ReceivedExample;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Which batches train together changes no bit of any domain. Batches of four. */
@Tag("integration")
class GroupedHashesTest {
  private static final Map<String, Integer> EXAMPLES =
      Map.of("a", 15, "b", 9, "c", 8, "d", 6, "e", 3);
  private static final AdaptSettings GROUPS = MiniLm.settings(Groups.DEFAULT);

  @ParameterizedTest
  @ValueSource(ints = {30, 70, 2048})
  void neighboursInAnyOrderLeaveEachDomainsHashes(int tokens) throws Exception {
    Map<String, List<String>> alone = oneByOne();
    AdaptSettings groups = MiniLm.settings(new Groups(tokens, Duration.ofMillis(10)));
    for (int seed = 0; seed < 3; seed++) {
      try (AdaptHarness adapt = AdaptHarness.start(groups)) {
        for (ReceivedExample example : interleaved(seed)) {
          adapt.receive(example);
        }
        adapt.endOfInput();

        assertThat(AdaptHarness.hashes(List.of(adapt))).as("seed %d", seed).isEqualTo(alone);
      }
    }
  }

  @Test
  void readyBatchesMoveWithTheirDomainsWhenTheJobIsRescaled() throws Exception {
    List<ReceivedExample> stream = interleaved(1);
    int first = 17;
    int second = 30;
    List<AdaptHarness> run = new ArrayList<>();
    AdaptHarness one = AdaptHarness.start(GROUPS);
    run.add(one);
    receive(stream.subList(0, first), one);
    OperatorSubtaskState snapshot = one.snapshot();
    int before = one.steps().size();
    OperatorSubtaskState[] halves = new OperatorSubtaskState[2];
    for (int task = 0; task < 2; task++) {
      AdaptHarness half = AdaptHarness.restore(GROUPS, snapshot, 2, task);
      run.add(half);
      receive(stream.subList(first, second), half);
      halves[task] = half.snapshot();
    }
    AdaptHarness last = AdaptHarness.restoreTogether(GROUPS, halves);
    run.add(last);
    receive(stream.subList(second, stream.size()), last);
    last.endOfInput();
    try {
      assertThat(AdaptHarness.hashes(run)).isEqualTo(oneByOne());
      assertThat(last.steps().size()).as("some batches were ready").isGreaterThan(3);
      assertThat(before).isLessThan(3);
    } finally {
      run.forEach(AdaptHarness::close);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {7, 19, 26})
  void aRunBrokenOffWithReadyBatchesGivesTheSameHashes(int brokenAt) throws Exception {
    List<ReceivedExample> stream = interleaved(2);
    try (AdaptHarness broken = AdaptHarness.start(GROUPS)) {
      receive(stream.subList(0, brokenAt), broken);
      OperatorSubtaskState snapshot = broken.snapshot();
      try (AdaptHarness again = AdaptHarness.restore(GROUPS, snapshot)) {
        receive(stream.subList(brokenAt, stream.size()), again);
        again.endOfInput();

        assertThat(AdaptHarness.hashes(List.of(broken, again))).isEqualTo(oneByOne());
      }
    }
  }

  private static Map<String, List<String>> oneByOne() throws Exception {
    try (AdaptHarness adapt = AdaptHarness.start(MiniLm.settings())) {
      receive(interleaved(0), adapt);
      adapt.endOfInput();
      return AdaptHarness.hashes(List.of(adapt));
    }
  }

  private static void receive(List<ReceivedExample> stream, AdaptHarness adapt) throws Exception {
    for (ReceivedExample example : stream) {
      adapt.receive(example);
    }
  }

  /** All domains' examples, each domain's in their order. */
  private static List<ReceivedExample> interleaved(int seed) {
    List<String> order = new ArrayList<>();
    Map<String, Deque<ReceivedExample>> domains = new TreeMap<>();
    EXAMPLES.forEach(
        (domain, count) -> {
          domains.put(domain, new ArrayDeque<>());
          for (int i = 0; i < count; i++) {
            order.add(domain);
            domains.get(domain).add(Received.example(domain, 0, 7L * domain.charAt(0) + i, i));
          }
        });
    Collections.sort(order);
    Collections.shuffle(order, new Random(seed));
    return order.stream().map(domain -> domains.get(domain).remove()).toList();
  }
}
