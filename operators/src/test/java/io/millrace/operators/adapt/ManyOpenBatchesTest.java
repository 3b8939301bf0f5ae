package io.millrace.operators.adapt;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.operators.MiniLm;
import io.millrace.operators.adapt.AdaptSettings.Groups;
import io.millrace.operators.gate.EndOfTraining;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.TrainingStep;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Open batches of many domains that close together: the task trains a group of them, and looks at
 * its input before the next. Batches hold one example, about 8 tokens; two or three make a group.
 */
@Tag("unit")
class ManyOpenBatchesTest {
  private static final int DOMAINS = 30;
  private static final int GROUP = 4;
  private static final AdaptSettings SETTINGS =
      MiniLm.settings(new Groups(18, Duration.ofMillis(10)));

  @Test
  void afterAPauseOfTheStreamOneGroupTrainsAtATime() throws Exception {
    try (AdaptHarness adapt = AdaptHarness.start(SETTINGS)) {
      receive(adapt);
      adapt.clock(5_000);
      assertThat(adapt.steps()).hasSizeBetween(1, GROUP);
      for (int millis = 1; millis <= DOMAINS; millis++) {
        int before = adapt.steps().size();
        adapt.clock(5_000 + millis);
        assertThat(adapt.steps().size() - before).as("steps at once").isLessThanOrEqualTo(GROUP);
      }
      adapt.clock(5_100);

      assertThat(domains(adapt.steps())).hasSize(DOMAINS);
    }
  }

  @Test
  void aCheckpointMayComeWhileTheRestOfTheInputIsTrained() throws Exception {
    Map<String, ByteBuffer> undisturbed;
    try (AdaptHarness adapt = AdaptHarness.start(SETTINGS)) {
      receive(adapt);
      adapt.endOfInput();
      undisturbed = versions(adapt);
    }
    assertThat(undisturbed).hasSize(DOMAINS);

    Map<String, ByteBuffer> versions;
    OperatorSubtaskState snapshot;
    try (AdaptHarness adapt = AdaptHarness.start(SETTINGS)) {
      receive(adapt);
      adapt.watermark(EndOfTraining.INPUT_READ.getTimestamp());
      assertThat(adapt.steps()).hasSizeBetween(1, GROUP);
      snapshot = adapt.checkpoint();
      versions = versions(adapt);
    }
    try (AdaptHarness adapt = AdaptHarness.restore(SETTINGS, snapshot)) {
      adapt.watermark(EndOfTraining.INPUT_READ.getTimestamp());
      adapt.clock(20);
      adapt.endOfInput();

      assertThat(versions(adapt)).doesNotContainKeys(versions.keySet().toArray(String[]::new));
      versions.putAll(versions(adapt));
    }
    assertThat(versions).isEqualTo(undisturbed);
  }

  /** Its batch closed by count before; no version of it would come after a restore. */
  @Test
  void aCheckpointHoldsNoBatchOfADomainWhoseInputHasEnded() throws Exception {
    AdaptSettings patient = MiniLm.settings(new Groups(40, Duration.ofMinutes(1)));
    OperatorSubtaskState snapshot;
    Set<String> published;
    try (AdaptHarness adapt = AdaptHarness.start(patient)) {
      adapt.receive("full", 0, 4);
      receive(adapt);
      adapt.watermark(EndOfTraining.INPUT_READ.getTimestamp());
      snapshot = adapt.checkpoint();
      published = new HashSet<>(versions(adapt).keySet());
    }
    try (AdaptHarness adapt = AdaptHarness.restore(patient, snapshot)) {
      adapt.watermark(EndOfTraining.INPUT_READ.getTimestamp());
      adapt.clock(20);
      published.addAll(versions(adapt).keySet());

      assertThat(published).hasSize(DOMAINS + 1).contains("full");
    }
  }

  private static void receive(AdaptHarness adapt) throws Exception {
    for (int domain = 0; domain < DOMAINS; domain++) {
      adapt.receive("d" + domain, 0, 1);
    }
  }

  private static Set<String> domains(List<TrainingStep> steps) {
    Set<String> domains = new HashSet<>();
    steps.forEach(step -> assertThat(domains.add(step.getDomain())).isTrue());
    return domains;
  }

  private static Map<String, ByteBuffer> versions(AdaptHarness adapt) {
    Map<String, ByteBuffer> payloads = new TreeMap<>();
    for (AdapterVersion version : adapt.versions()) {
      payloads.put(version.getDomain(), version.getPayload());
    }
    return payloads;
  }
}
