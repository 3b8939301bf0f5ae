package io.millrace.operators.adapt;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.operators.MiniLm;
import io.millrace.operators.Received;
import io.millrace.operators.model.SharedModel;
import io.millrace.schemas.BatchClosedBy;
import io.millrace.schemas.DomainState;
import io.millrace.schemas.ReceivedExample;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.ModelStore;
import io.millrace.svft.model.WeightRole;
import io.millrace.svft.tensor.Kernels;
import io.millrace.svft.tensor.Torch;
import io.millrace.svft.training.Moments;
import io.millrace.svft.training.TrainingSettings;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** States of 1.8 million values: 21 MB each. Batches of four, a version every two steps. */
@Tag("integration")
class LargeStatesTest {
  private static final TrainingSettings FULL =
      TrainingSettings.defaults(AdapterMethod.parse("full;weights=query+key"));

  private static final AdaptSettings SETTINGS = MiniLm.settings(FULL, MiniLm.STORE);

  @Test
  void keyedStateGetsThemForACheckpointAlone() throws Exception {
    try (AdaptHarness adapt = AdaptHarness.start(SETTINGS)) {
      adapt.receive("a", 0, 8);
      assertThat(adapt.steps()).hasSize(2);
      assertThat(adapt.state("a")).as("before a checkpoint").isNull();

      adapt.snapshot();
      DomainState written = adapt.state("a");
      assertThat(written.getSteps()).isEqualTo(2);
      assertThat(written.getVersion()).isEqualTo(1);
      assertThat(DomainStates.bytes(written)).as("the head alone").isLessThan(100_000);

      adapt.receive("a", 8, 12);
      assertThat(adapt.state("a").getSteps()).as("since the checkpoint").isEqualTo(2);
    }
  }

  @ParameterizedTest
  @EnumSource(Moments.class)
  void aRunBrokenOffAnywhereGivesTheHashesOfAnUndisturbedOne(Moments moments) throws Exception {
    AdaptSettings settings = MiniLm.settings(FULL.with(moments), MiniLm.STORE);
    Map<String, List<String>> undisturbed;
    try (AdaptHarness adapt = AdaptHarness.start(settings)) {
      twoDomains(adapt, 0, 14);
      adapt.endOfInput();
      undisturbed = AdaptHarness.hashes(List.of(adapt));
    }
    for (int brokenAt : List.of(3, 9)) {
      try (AdaptHarness broken = AdaptHarness.start(settings)) {
        twoDomains(broken, 0, brokenAt);
        OperatorSubtaskState snapshot = broken.snapshot();
        Map<String, List<String>> hashes = AdaptHarness.hashes(List.of(broken));
        // Lost with the task.
        twoDomains(broken, brokenAt, 12);
        try (AdaptHarness again = AdaptHarness.restore(settings, snapshot)) {
          twoDomains(again, brokenAt, 14);
          again.endOfInput();
          AdaptHarness.hashes(List.of(again))
              .forEach((of, more) -> hashes.merge(of, more, LargeStatesTest::joined));
        }
        assertThat(hashes).as("broken off at %d", brokenAt).isEqualTo(undisturbed);
      }
    }
  }

  /** More than memory is meant for: those that wait are in keyed state meanwhile. */
  @Test
  void manyOfThemInTurnGiveTheHashesOfEachAlone() throws Exception {
    List<String> domains = new ArrayList<>();
    for (int i = 0; i < 11; i++) {
      domains.add("domain-" + i);
    }
    try (AdaptHarness adapt = AdaptHarness.start(SETTINGS);
        AdaptHarness alone = AdaptHarness.start(SETTINGS)) {
      for (int from = 0; from < 12; from += 4) {
        for (String domain : domains) {
          adapt.receive(domain, from, from + 4);
        }
      }
      assertThat(adapt.state("domain-1")).as("no longer in memory alone").isNotNull();
      alone.receive("domain-1", 0, 12);

      assertThat(AdaptHarness.hashes(List.of(adapt)))
          .containsAllEntriesOf(AdaptHarness.hashes(List.of(alone)));
    }
  }

  @Test
  void oneThatAnEarlierReleaseWroteIntoItsRecordGoesOn() throws Exception {
    List<ReceivedExample> first = new ArrayList<>();
    for (int offset = 0; offset < 4; offset++) {
      first.add(Received.example("a", 0, offset, offset));
    }
    DomainState whole;
    try (SharedModel.Lease model =
            SharedModel.open(
                MiniLm.STORE,
                ModelStore.MINILM,
                Torch.device("cpu"),
                EnumSet.noneOf(WeightRole.class),
                Kernels.FAST);
        DomainTrainer trainer =
            new DomainTrainer(model.base(), FULL, Map.of("batch.size", "4"), 1)) {
      whole = trainer.initialState();
      trainer.step("a", whole, first, BatchClosedBy.COUNT);
    }
    OperatorSubtaskState earlier;
    try (AdaptHarness adapt = AdaptHarness.start(SETTINGS)) {
      adapt.set("a", whole);
      earlier = adapt.snapshot();
    }
    try (AdaptHarness undisturbed = AdaptHarness.start(SETTINGS);
        AdaptHarness again = AdaptHarness.restore(SETTINGS, earlier)) {
      undisturbed.receive("a", 0, 12);
      again.receive("a", 4, 12);

      assertThat(again.steps("a")).hasSize(2);
      assertThat(again.steps("a").get(1).getStateSha256())
          .isEqualTo(undisturbed.steps("a").get(2).getStateSha256());
      assertThat(again.versions().get(0).getSha256())
          .isEqualTo(undisturbed.versions().get(0).getSha256());
    }
  }

  private static List<String> joined(List<String> first, List<String> second) {
    List<String> all = new ArrayList<>(first);
    all.addAll(second);
    return all;
  }

  private static void twoDomains(AdaptHarness adapt, int from, int to) throws Exception {
    for (int i = from; i < to; i++) {
      adapt.receive(Received.example("a", 0, 2 * i, i));
      adapt.receive(Received.example(i % 3 == 0 ? "a" : "b", 0, 2 * i + 1, i));
    }
  }
}
