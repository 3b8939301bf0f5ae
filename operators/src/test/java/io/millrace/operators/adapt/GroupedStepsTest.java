package io.millrace.operators.adapt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.millrace.operators.MiniLm;
import io.millrace.operators.Received;
import io.millrace.operators.adapt.AdaptSettings.Groups;
import io.millrace.operators.adapt.AdaptSettings.Limits;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.DomainState;
import io.millrace.schemas.Topics;
import io.millrace.schemas.TrainingStep;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.IntStream;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** When batches train that wait for each other. Batches of four, about 30 tokens each. */
@Tag("unit")
class GroupedStepsTest {
  private static final long MINUTE = 60_000;
  private static final AdaptSettings SETTINGS = MiniLm.settings(Groups.DEFAULT);

  @Test
  void aClosedBatchWaitsForOthersAtMostAsLongAsIsSet() throws Exception {
    try (AdaptHarness adapt = several(SETTINGS)) {
      adapt.receive("a", 0, 4);
      adapt.clock(5);
      adapt.receive("b", 0, 4);
      adapt.clock(9);
      assertThat(adapt.steps()).isEmpty();
      adapt.clock(10);

      assertThat(domains(adapt)).containsExactly("a", "b");
    }
  }

  @Test
  void batchesOfEnoughTokensTrainAtOnce() throws Exception {
    try (AdaptHarness adapt = several(MiniLm.settings(new Groups(60, Duration.ofMillis(10))))) {
      adapt.receive("a", 0, 4);
      adapt.receive("b", 0, 4);
      assertThat(adapt.steps()).isEmpty();
      adapt.receive("c", 0, 4);

      assertThat(domains(adapt)).containsExactly("a", "b", "c");
    }
  }

  @Test
  void theBatchesOfAnOnlyDomainTrainAsTheyClose() throws Exception {
    try (AdaptHarness adapt = AdaptHarness.start(SETTINGS)) {
      adapt.receive("a", 0, 9);

      assertThat(adapt.steps()).hasSize(2);
    }
  }

  @Test
  void aDomainThatClosesAnotherBatchWaitsNoLonger() throws Exception {
    try (AdaptHarness adapt = several(SETTINGS)) {
      adapt.receive("b", 0, 4);
      adapt.receive("a", 0, 4);
      assertThat(adapt.steps()).isEmpty();
      adapt.receive("a", 4, 8);
      assertThat(domains(adapt)).as("the second waits").containsExactly("b", "a");
      adapt.clock(10);

      assertThat(domains(adapt)).containsExactly("b", "a", "a");
    }
  }

  @Test
  void aFloodInOneDomainDoesNotHoldUpTheOthers() throws Exception {
    try (AdaptHarness adapt = several(SETTINGS)) {
      adapt.receive("flood", 0, 6);
      adapt.receive("b", 0, 4);
      adapt.receive("c", 0, 4);
      adapt.receive("flood", 6, 30);

      assertThat(domains(adapt).subList(0, 4)).containsExactly("flood", "b", "c", "flood");
    }
  }

  @Test
  void theEndOfTheInputTrainsAndPublishesAll() throws Exception {
    try (AdaptHarness adapt = several(SETTINGS)) {
      adapt.receive("a", 0, 4);
      adapt.receive("b", 0, 6);
      assertThat(adapt.steps()).isEmpty();
      adapt.endOfInput();

      assertThat(adapt.steps())
          .extracting(s -> s.getDomain() + s.getCorrect().size())
          .containsExactlyInAnyOrder("a4", "b4", "b2", "other1");
      assertThat(adapt.versions())
          .extracting(v -> v.getDomain() + "@" + v.getVersion() + " " + v.getSteps())
          .containsExactlyInAnyOrder("a@1 1", "b@1 2", "other@1 1");
    }
  }

  /** A source that stops without a last watermark. */
  @Test
  void nothingIsReadyWhenATaskHasFinished() throws Exception {
    try (AdaptHarness adapt = several(SETTINGS)) {
      adapt.receive("a", 0, 4);
      adapt.finish();

      assertThat(domains(adapt)).containsExactly("a");
    }
  }

  @Test
  void aStepThatIsNotFiniteTakesItsOwnBatchAlone() throws Exception {
    try (AdaptHarness adapt = several(SETTINGS);
        AdaptHarness alone = AdaptHarness.start(MiniLm.settings())) {
      alone.receive("a", 0, 8);
      for (String domain : List.of("a", "broken", "c")) {
        adapt.receive(domain, 0, 4);
      }
      adapt.clock(10);
      adapt.change("broken", GroupedStepsTest::breakHead);
      DomainState before = adapt.state("broken");
      for (String domain : List.of("a", "broken", "c")) {
        adapt.receive(domain, 4, 8);
      }
      adapt.clock(20);

      assertThat(adapt.deadLetters())
          .hasSize(4)
          .allSatisfy(
              letter ->
                  assertThat(letter.getHeaders())
                      .containsEntry(Topics.DEAD_LETTER_ERROR_CLASS, "NonFiniteStep"));
      assertThat(adapt.state("broken")).isEqualTo(before);
      assertThat(hashes(adapt, "a")).isEqualTo(hashes(alone, "a"));
      assertThat(hashes(adapt, "c")).isEqualTo(hashes(alone, "a"));
    }
  }

  @Test
  void aStepThatFailsIsNamedForItsOwnDomain() throws Exception {
    try (AdaptHarness adapt = several(SETTINGS)) {
      for (String domain : List.of("a", "broken", "c")) {
        adapt.receive(domain, 0, 4);
      }
      adapt.clock(10);
      adapt.change("broken", state -> state.setValues(ByteBuffer.allocate(8)));
      for (int attempt = 1; attempt <= RepeatedFailures.TRIES; attempt++) {
        int from = 4 * attempt;
        adapt.receive("a", from, from + 4);
        adapt.receive("broken", 4, 8);
        adapt.receive("c", from, from + 4);
        int at = 10 * attempt + 10;

        if (attempt < RepeatedFailures.TRIES) {
          assertThat(catchThrowable(() -> adapt.clock(at))).isNotNull();
        } else {
          assertThatThrownBy(() -> adapt.clock(at))
              .isInstanceOf(PermanentFailureException.class)
              .hasMessageStartingWith(
                  "step 2 of domain broken failed 3 times in the same way, on the batch that"
                      + " begins at labeled-examples-0 offset 4: ");
        }
      }
    }
  }

  /** It fails after the state of the first domain has changed in memory. */
  @ParameterizedTest
  @ValueSource(classes = {IllegalStateException.class, OutOfMemoryError.class})
  void whereOnlyTheGroupFailsEachDomainTakesItsStepAlone(Class<? extends Throwable> kind)
      throws Exception {
    Throwable failure = kind.getConstructor(String.class).newInstance("the group's alone");
    try (AdaptHarness adapt = several(withRecorded(SETTINGS, new FailsOnce()));
        AdaptHarness alone = AdaptHarness.start(MiniLm.settings())) {
      alone.receive("a", 0, 12);
      for (String domain : List.of("a", "b", "c")) {
        adapt.receive(domain, 0, 4);
      }
      adapt.clock(10);
      for (String domain : List.of("a", "b", "c")) {
        adapt.receive(domain, 4, 8);
      }
      FailsOnce.armed.set(new FailsOnce.Failure(2, failure));
      adapt.clock(20);
      assertThat(FailsOnce.armed).hasNullValue();
      for (String domain : List.of("a", "b", "c")) {
        adapt.receive(domain, 8, 12);
      }
      adapt.clock(30);

      assertThat(adapt.deadLetters()).isEmpty();
      for (String domain : List.of("a", "b", "c")) {
        assertThat(hashes(adapt, domain)).as(domain).hasSize(3).isEqualTo(hashes(alone, "a"));
        assertThat(adapt.versions())
            .filteredOn(version -> version.getDomain().equals(domain))
            .extracting(AdapterVersion::getSteps)
            .containsExactly(2L);
      }
    }
  }

  /** Settings to record that cannot be read at a time that a test chooses, and then can. */
  private static final class FailsOnce extends TreeMap<String, String> {
    private static final long serialVersionUID = 1;

    record Failure(int call, Throwable thrown) {}

    static final AtomicReference<Failure> armed = new AtomicReference<>();

    /** Compared with what the domain's last step has recorded, once in each step. */
    @Override
    public int size() {
      Failure next = armed.get();
      if (next != null) {
        if (next.call() > 1) {
          armed.set(new Failure(next.call() - 1, next.thrown()));
        } else {
          armed.set(null);
          FailsOnce.<RuntimeException>raise(next.thrown());
        }
      }
      return super.size();
    }

    @SuppressWarnings("unchecked")
    private static <T extends Throwable> void raise(Throwable thrown) throws T {
      throw (T) thrown;
    }
  }

  private static AdaptSettings withRecorded(
      AdaptSettings settings, TreeMap<String, String> recorded) {
    DomainSettings plain = settings.domains().others();
    recorded.putAll(plain.recorded());
    return new AdaptSettings(
        new DomainRules(
            new DomainSettings(
                plain.training(),
                plain.batchSize(),
                plain.batchTimeout(),
                plain.publishEverySteps(),
                plain.snapshotEveryVersions(),
                recorded,
                plain.initFrom(),
                plain.firstPolicy())),
        settings.modelStore(),
        settings.modelName(),
        settings.device(),
        settings.threads(),
        settings.signingKey(),
        settings.limits(),
        settings.groups(),
        0);
  }

  @Test
  void aDomainWithAReadyBatchIsNotForgotten() throws Exception {
    AdaptSettings retention =
        MiniLm.settings(
            4,
            new Groups(2048, Duration.ofMillis(100 * MINUTE)),
            new Limits(4000, 64L << 20, 64L << 20, 1000, Duration.ofMillis(MINUTE)));
    try (AdaptHarness adapt = several(retention)) {
      adapt.receive("a", 0, 4);
      adapt.receive(Received.example("later", 0, 10, 2 * MINUTE));
      adapt.clock(3 * MINUTE);
      assertThat(domains(adapt)).doesNotContain("a");
      adapt.receive(Received.example("a", 0, 11, 2 * MINUTE + 1));

      assertThat(adapt.steps("a")).as("trains before its domain starts anew").hasSize(1);
      assertThat(adapt.state("a")).isNull();
    }
  }

  @Test
  void theTimeOfAGroupIsNoPauseOfTheStream() throws Exception {
    try (AdaptHarness adapt = several(SETTINGS)) {
      adapt.stepsTake(8_000);
      adapt.receive("a", 0, 4);
      adapt.receive("b", 0, 4);
      adapt.clock(10);
      adapt.clock(15_000);
      assertThat(adapt.steps("other")).isEmpty();
      adapt.clock(21_010);
      adapt.clock(21_020);

      assertThat(adapt.steps("other")).hasSize(1);
    }
  }

  @Test
  void aDomainThatItsReadyBatchSetsAsideIsTrainedNoMore() throws Exception {
    AdaptSettings small =
        MiniLm.settings(4, Groups.DEFAULT, Limits.DEFAULT.withRecords(70_000, 64L << 20));
    try (AdaptHarness adapt = several(small)) {
      for (int offset = 0; offset < 24; offset++) {
        adapt.receive(Received.labeled("large", offset, "label " + offset % 8));
      }
      adapt.clock(10);

      assertThat(adapt.steps("large")).hasSize(2);
      assertThat(adapt.deadLetters())
          .extracting(letter -> letter.getHeaders().get(Topics.DEAD_LETTER_OFFSET))
          .containsExactlyElementsOf(IntStream.range(8, 24).mapToObj(Integer::toString).toList());
      assertThat(adapt.versions()).extracting(AdapterVersion::getDomain).doesNotContain("large");
    }
  }

  @Test
  void aSnapshotHoldsWhatIsReadyAndTrainsNothing() throws Exception {
    OperatorSubtaskState snapshot;
    try (AdaptHarness adapt = several(SETTINGS)) {
      adapt.receive("a", 0, 4);
      adapt.receive("b", 0, 6);
      snapshot = adapt.snapshot();

      assertThat(adapt.steps()).isEmpty();
    }
    try (AdaptHarness adapt = AdaptHarness.restore(SETTINGS, snapshot);
        AdaptHarness alone = AdaptHarness.start(MiniLm.settings())) {
      adapt.clock(System.currentTimeMillis() + 1000);
      assertThat(domains(adapt)).containsExactlyInAnyOrder("a", "b");
      adapt.receive("b", 6, 8);
      adapt.clock(System.currentTimeMillis() + 2000);
      alone.receive("b", 0, 8);

      assertThat(hashes(adapt, "b")).isEqualTo(hashes(alone, "b")).hasSize(2);
    }
  }

  /** Another domain's example shows that this task has several. */
  private static AdaptHarness several(AdaptSettings settings) throws Exception {
    AdaptHarness adapt = AdaptHarness.start(settings);
    adapt.receive("other", 0, 1);
    return adapt;
  }

  private static void breakHead(DomainState state) {
    byte[] huge = new byte[state.getHead().remaining()];
    for (int i = 0; i < huge.length; i += Float.BYTES) {
      huge[i + 2] = 0x7f;
      huge[i + 3] = 0x7f;
    }
    state.setHead(ByteBuffer.wrap(huge));
  }

  private static List<String> domains(AdaptHarness adapt) {
    return adapt.steps().stream().map(TrainingStep::getDomain).toList();
  }

  private static List<String> hashes(AdaptHarness adapt, String domain) {
    return adapt.steps(domain).stream().map(TrainingStep::getStateSha256).toList();
  }
}
