package io.millrace.operators.adapt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.operators.MiniLm;
import io.millrace.operators.Received;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.BatchClosedBy;
import io.millrace.schemas.OffsetRun;
import io.millrace.schemas.TrainingStep;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.tensor.Sha256;
import io.millrace.svft.training.TrainingSettings;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A task restored from a snapshot gives the same results as one that was not interrupted. */
@Tag("integration")
class RestoreTest {
  private static final long HOUR = 3_600_000;

  @ParameterizedTest
  @ValueSource(ints = {1, 5, 8, 11})
  void aRunBrokenOffAnywhereGivesTheHashesOfAnUndisturbedOne(int brokenAt) throws Exception {
    List<String> undisturbed = new ArrayList<>();
    try (AdaptHarness adapt = AdaptHarness.start(MiniLm.settings())) {
      twoDomains(adapt, 0, 14);
      adapt.endOfInput();
      undisturbed.addAll(hashes(adapt));
    }

    List<String> broken = new ArrayList<>();
    OperatorSubtaskState snapshot;
    try (AdaptHarness adapt = AdaptHarness.start(MiniLm.settings())) {
      twoDomains(adapt, 0, brokenAt);
      snapshot = adapt.snapshot();
      broken.addAll(hashes(adapt));
      twoDomains(adapt, brokenAt, 14);
    }
    try (AdaptHarness adapt = AdaptHarness.restore(MiniLm.settings(), snapshot)) {
      twoDomains(adapt, brokenAt, 14);
      adapt.endOfInput();
      broken.addAll(hashes(adapt));
    }

    assertThat(broken).containsExactlyInAnyOrderElementsOf(undisturbed);
  }

  @Test
  void domainsGoOnUnchangedWhenTheJobIsRescaled() throws Exception {
    List<String> undisturbed = new ArrayList<>();
    List<String> rescaled = new ArrayList<>();
    OperatorSubtaskState snapshot;
    try (AdaptHarness adapt = AdaptHarness.start(MiniLm.settings())) {
      twoDomains(adapt, 0, 5);
      snapshot = adapt.snapshot();
      rescaled.addAll(hashes(adapt));
      twoDomains(adapt, 5, 9);
      adapt.endOfInput();
      undisturbed.addAll(hashes(adapt));
    }
    for (int task = 0; task < 2; task++) {
      try (AdaptHarness adapt = AdaptHarness.restore(MiniLm.settings(), snapshot, 2, task)) {
        twoDomains(adapt, 5, 9);
        adapt.endOfInput();
        assertThat(hashes(adapt)).isNotEmpty();
        rescaled.addAll(hashes(adapt));
      }
    }

    assertThat(rescaled).containsExactlyInAnyOrderElementsOf(undisturbed);
  }

  @Test
  void aDrainedJobGoesOnFromTheVersionItPublishedLast() throws Exception {
    OperatorSubtaskState drained;
    AdapterVersion last;
    try (AdaptHarness adapt = AdaptHarness.start(MiniLm.settings())) {
      adapt.receive("a", 0, 3);
      adapt.endOfInput();
      drained = adapt.snapshot();
      last = adapt.versions().get(0);
    }
    try (AdaptHarness adapt = AdaptHarness.restore(MiniLm.settings(), drained)) {
      adapt.receive("a", 3, 11);

      assertThat(adapt.versions()).hasSize(1);
      assertThat(adapt.versions().get(0).getVersion()).isEqualTo(2);
      assertThat(adapt.versions().get(0).getParentSha256()).isEqualTo(last.getSha256());
      assertThat(adapt.versions().get(0).getExamples()).isEqualTo(11);
    }
  }

  /** The backlog that piled up meanwhile would have filled the batch. */
  @Test
  void timersThatFellDueWhileTheTaskWasDownCloseNothing() throws Exception {
    long now = System.currentTimeMillis();
    OperatorSubtaskState snapshot;
    try (AdaptHarness adapt = AdaptHarness.start(MiniLm.settings())) {
      adapt.clock(now - HOUR);
      adapt.receive("a", 0, 3);
      snapshot = adapt.snapshot();
    }
    try (AdaptHarness adapt = AdaptHarness.restore(MiniLm.settings(), snapshot)) {
      adapt.clock(now);
      assertThat(adapt.steps()).isEmpty();
      adapt.receive("a", 3, 4);

      assertThat(adapt.steps()).hasSize(1);
      assertThat(adapt.steps().get(0).getClosedBy()).isEqualTo(BatchClosedBy.COUNT);
      assertThat(adapt.steps().get(0).getBatch()).containsExactly(new OffsetRun(0, 0L, 4));
    }
  }

  @Test
  void aRestoredBatchStillClosesWhenTheStreamPauses() throws Exception {
    long now = System.currentTimeMillis();
    OperatorSubtaskState snapshot;
    try (AdaptHarness adapt = AdaptHarness.start(MiniLm.settings())) {
      adapt.clock(now - HOUR);
      adapt.receive("a", 0, 3);
      snapshot = adapt.snapshot();
    }
    try (AdaptHarness adapt = AdaptHarness.restore(MiniLm.settings(), snapshot)) {
      adapt.clock(now);
      adapt.clock(now + HOUR);

      assertThat(adapt.steps()).hasSize(1);
      assertThat(adapt.steps().get(0).getClosedBy()).isEqualTo(BatchClosedBy.TIMEOUT);
    }
  }

  /** A task may be long in starting; nothing could arrive before its timers fire. */
  @Test
  void aRestoredBatchWaitsATimeoutFromTheFirstTimerOn() throws Exception {
    long firstTimer = System.currentTimeMillis() + HOUR;
    OperatorSubtaskState snapshot;
    try (AdaptHarness adapt = AdaptHarness.start(MiniLm.settings())) {
      adapt.receive("a", 0, 3);
      snapshot = adapt.snapshot();
    }
    try (AdaptHarness adapt = AdaptHarness.restore(MiniLm.settings(), snapshot)) {
      adapt.clock(firstTimer);
      adapt.clock(firstTimer + 4_999);
      assertThat(adapt.steps()).isEmpty();
      adapt.clock(firstTimer + 5_000);

      assertThat(adapt.steps()).hasSize(1);
      assertThat(adapt.steps().get(0).getClosedBy()).isEqualTo(BatchClosedBy.TIMEOUT);
    }
  }

  @Test
  void stateOfAnotherBasisIsRefusedWithBothHashes(@TempDir Path store) throws Exception {
    OperatorSubtaskState snapshot;
    try (AdaptHarness adapt = AdaptHarness.start(MiniLm.settings())) {
      adapt.receive("a", 0, 4);
      snapshot = adapt.snapshot();
    }
    String otherBasis = storeWithAnotherBasis(store);
    AdaptSettings settings =
        MiniLm.settings(MiniLm.settings().domains().others().training(), store.toString());

    try (AdaptHarness adapt = AdaptHarness.restore(settings, snapshot)) {
      assertThatThrownBy(() -> adapt.receive("a", 4, 8))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("singular basis")
          .hasMessageContaining(MiniLm.base().basisSha256())
          .hasMessageContaining(otherBasis);
    }
  }

  @Test
  void stateOfAnotherMethodIsRefusedWithBothNames() throws Exception {
    OperatorSubtaskState snapshot;
    try (AdaptHarness adapt = AdaptHarness.start(MiniLm.settings())) {
      adapt.receive("a", 0, 4);
      snapshot = adapt.snapshot();
    }
    TrainingSettings head = TrainingSettings.defaults(AdapterMethod.parse("head"));

    try (AdaptHarness adapt = AdaptHarness.restore(MiniLm.settings(head, MiniLm.STORE), snapshot)) {
      assertThatThrownBy(() -> adapt.receive("a", 4, 8))
          .hasMessage(
              "domain a was trained with the adapter method svft:plain, the setting is head: set the"
                  + " method that it was trained with (for this domain alone:"
                  + " domains.a.adapter.method), or start without its state");
    }
  }

  /** Domain a is one offset ahead of b, so that their batches close at different places. */
  private static void twoDomains(AdaptHarness adapt, int from, int to) throws Exception {
    for (int i = from; i < to; i++) {
      adapt.receive(Received.example("a", 0, 2 * i, i));
      adapt.receive(Received.example(i % 3 == 0 ? "a" : "b", 0, 2 * i + 1, i));
    }
  }

  private static List<String> hashes(AdaptHarness adapt) {
    List<String> hashes = new ArrayList<>();
    for (TrainingStep step : adapt.steps()) {
      hashes.add(
          "%s step %d %s".formatted(step.getDomain(), step.getStep(), step.getStateSha256()));
    }
    for (AdapterVersion version : adapt.versions()) {
      hashes.add(
          "%s version %d %s"
              .formatted(version.getDomain(), version.getVersion(), version.getSha256()));
    }
    return hashes;
  }

  /** The same base model; one bit of one factor differs. Returns the basis's hash. */
  private static String storeWithAnotherBasis(Path store) throws Exception {
    Path original = Path.of(MiniLm.STORE, "minilm");
    Path copy = Files.createDirectory(store.resolve("minilm"));
    for (String name : List.of("model.safetensors", "tokenizer.json")) {
      Files.copy(original.resolve(name), copy.resolve(name));
    }
    Path basis =
        Files.copy(original.resolve("basis.safetensors"), copy.resolve("basis.safetensors"));
    try (RandomAccessFile file = new RandomAccessFile(basis.toFile(), "rw")) {
      file.seek(file.length() - 4);
      int lowest = file.read() ^ 1;
      file.seek(file.length() - 4);
      file.write(lowest);
    }
    String hash = Sha256.of(basis);
    String description = Files.readString(original.resolve("model.json"));
    Files.writeString(
        copy.resolve("model.json"), description.replace(MiniLm.base().basisSha256(), hash));
    return hash;
  }
}
