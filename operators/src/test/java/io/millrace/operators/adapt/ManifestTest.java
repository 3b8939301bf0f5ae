package io.millrace.operators.adapt;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.operators.MiniLm;
import io.millrace.operators.Received;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.Manifest;
import io.millrace.schemas.TrainingRun;
import io.millrace.schemas.TrainingSnapshot;
import io.millrace.schemas.TrainingStep;
import io.millrace.svft.adapter.Adapter;
import io.millrace.svft.tensor.Kernels;
import io.millrace.svft.training.TrainingEnvironment;
import java.util.List;
import java.util.TreeMap;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What a version says of how it came to be. */
@Tag("unit")
class ManifestTest {
  @Test
  void aManifestNamesStepsStateSettingsAndEnvironment() throws Exception {
    try (AdaptHarness adapt = AdaptHarness.start(MiniLm.settings())) {
      adapt.receive("a", 0, 16);

      Manifest manifest = adapt.versions().get(1).getManifest();
      List<TrainingStep> steps = adapt.steps();
      assertThat(manifest.getFirstStep()).isEqualTo(3);
      assertThat(manifest.getStateSha256()).isEqualTo(steps.get(3).getStateSha256());
      assertThat(manifest.getTokenizerSha256()).isEqualTo(MiniLm.base().tokenizerSha256());
      assertThat(manifest.getPositionsSha256())
          .isEqualTo(Adapter.fromPayload(adapt.versions().get(1).getPayload()).positionsSha256())
          .hasSize(64);
      TrainingRun run = manifest.getRuns().get(0);
      assertThat(manifest.getRuns()).hasSize(1);
      assertThat(run.getFirstStep()).isEqualTo(3);
      assertThat(run.getSettings()).isEqualTo(MiniLm.settings().domains().others().recorded());
      assertThat(run.getEnvironment())
          .isEqualTo(TrainingEnvironment.describe(MiniLm.base().device(), 1, Kernels.FAST));
    }
  }

  @Test
  void aRestartWithOtherSettingsBetweenTwoVersionsIsTwoRuns() throws Exception {
    AdaptSettings settings = MiniLm.settings();
    OperatorSubtaskState stopped;
    try (AdaptHarness adapt = AdaptHarness.start(settings)) {
      adapt.receive("a", 0, 12);
      stopped = adapt.snapshot();
    }
    TreeMap<String, String> others = new TreeMap<>(settings.domains().others().recorded());
    others.put("training.beta1", "0.8");
    try (AdaptHarness adapt = AdaptHarness.restore(with(settings, others), stopped)) {
      adapt.receive("a", 12, 24);

      List<AdapterVersion> versions = adapt.versions();
      assertThat(versions.get(0).getVersion()).isEqualTo(2);
      assertThat(versions.get(0).getManifest().getRuns())
          .extracting(TrainingRun::getFirstStep, TrainingRun::getSettings)
          .containsExactly(
              org.assertj.core.api.Assertions.tuple(3L, settings.domains().others().recorded()),
              org.assertj.core.api.Assertions.tuple(4L, others));
      assertThat(versions.get(1).getManifest().getRuns()).hasSize(1);
    }
  }

  @Test
  void aStepNamesTheContentOfItsBatch() throws Exception {
    try (AdaptHarness adapt = AdaptHarness.start(MiniLm.settings())) {
      adapt.receive("a", 0, 8);

      assertThat(adapt.steps().get(0).getBatchSha256())
          .isEqualTo(
              BatchIdentity.sha256(
                  List.of(
                      Received.example("a", 0, 0, 0),
                      Received.example("a", 0, 1, 1),
                      Received.example("a", 0, 2, 2),
                      Received.example("a", 0, 3, 3))))
          .isNotEqualTo(adapt.steps().get(1).getBatchSha256());
    }
  }

  @Test
  void aSnapshotHoldsTheStateThatItsVersionWasPublishedFrom() throws Exception {
    try (AdaptHarness adapt = AdaptHarness.start(MiniLm.settings())) {
      adapt.receive("a", 0, 16);

      TrainingSnapshot snapshot = adapt.snapshots().get(0);
      assertThat(adapt.snapshots()).hasSize(1);
      assertThat(snapshot.getVersion()).isEqualTo(2);
      assertThat(snapshot.getStep()).isEqualTo(4);
      assertThat(snapshot.getStateSha256()).isEqualTo(adapt.steps().get(3).getStateSha256());
      assertThat(DomainStates.read(snapshot.getState(), MiniLm.base()).sha256())
          .isEqualTo(snapshot.getStateSha256());
      assertThat(snapshot.getState().getVersionSha256())
          .isEqualTo(adapt.versions().get(1).getSha256());
    }
  }

  private static AdaptSettings with(AdaptSettings settings, TreeMap<String, String> recorded) {
    DomainSettings all = settings.domains().others();
    return settings.with(
        new DomainRules(
            new DomainSettings(
                all.training(),
                all.batchSize(),
                all.batchTimeout(),
                all.publishEverySteps(),
                all.snapshotEveryVersions(),
                recorded,
                all.initFrom(),
                all.firstPolicy())));
  }
}
