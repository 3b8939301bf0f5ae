package io.millrace.pipeline.upgrade;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.client.settings.Settings;
import io.millrace.operators.adapt.DomainTrainer;
import io.millrace.pipeline.embedded.EmbeddedFlink;
import io.millrace.pipeline.embedded.EmbeddedStack;
import io.millrace.pipeline.job.AdaptationJob;
import io.millrace.pipeline.submission.FlinkJob;
import io.millrace.pipeline.submission.StartingState;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.OffsetRun;
import io.millrace.schemas.Topics;
import io.millrace.schemas.TrainingSnapshot;
import io.millrace.schemas.TrainingStep;
import io.millrace.svft.adapter.Adapter;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.ModelFiles;
import io.millrace.svft.model.ModelStore;
import io.millrace.svft.tensor.Sha256;
import io.millrace.svft.tensor.Torch;
import io.millrace.svft.training.TrainingSettings;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What earlier releases left behind opens in this build. */
@Tag("integration")
@Timeout(200)
class UpgradeTest {
  @TempDir private Path directory;

  static List<Release> releases() throws IOException {
    return Release.all();
  }

  @ParameterizedTest
  @MethodSource("releases")
  void anEarlierReleasesJobGoesOnFromItsSavepoint(Release release) throws Exception {
    Map<String, AdapterVersion> newest =
        release.records(Topics.ADAPTERS, AdapterVersion.class).stream()
            .collect(Collectors.toMap(AdapterVersion::getDomain, v -> v, (a, b) -> b));
    Map<String, TrainingStep> last =
        release.records(Topics.TRAINING_STEPS, TrainingStep.class).stream()
            .collect(Collectors.toMap(TrainingStep::getDomain, s -> s, (a, b) -> b));
    try (EmbeddedStack stack = Release.stack(directory.resolve("data"));
        EmbeddedFlink flink = EmbeddedFlink.start(directory.resolve("flink"), 0, 1)) {
      Settings settings = Release.settings(stack);
      Release.send(settings, 0, Release.BEFORE, directory);
      Release.send(settings, Release.BEFORE, Release.EXAMPLES, directory);
      FlinkJob job =
          Release.submit(
              flink,
              settings,
              directory.resolve("checkpoints"),
              Optional.of(
                  StartingState.savepoint(release.savepoint(directory.resolve("savepoint")))),
              AdaptationJob.Input.UNBOUNDED);
      long rest =
          Release.EXAMPLES
              - Release.examples(release.records(Topics.TRAINING_STEPS, TrainingStep.class));
      Release.awaitExamples(job, settings, rest);
      job.drain(directory.resolve("drained"));

      List<TrainingStep> steps =
          Release.committed(settings, Topics.TRAINING_STEPS, TrainingStep.class);
      List<AdapterVersion> versions =
          Release.committed(settings, Topics.ADAPTERS, AdapterVersion.class);
      assertThat(newest).hasSize(2);
      newest.forEach(
          (domain, before) -> {
            TrainingStep first =
                steps.stream().filter(s -> s.getDomain().equals(domain)).findFirst().orElseThrow();
            assertThat(first.getStep()).isEqualTo(last.get(domain).getStep() + 1);
            assertThat(first.getBatch().get(0).getFirstOffset())
                .as("the first example that was waiting when the job stopped")
                .isEqualTo(end(last.get(domain)));
            AdapterVersion next =
                versions.stream()
                    .filter(v -> v.getDomain().equals(domain))
                    .findFirst()
                    .orElseThrow();
            assertThat(next.getVersion()).isEqualTo(before.getVersion() + 1);
            assertThat(next.getParentSha256()).isEqualTo(before.getSha256());
          });
      assertThat(Release.examples(steps)).isEqualTo(rest);
    }
  }

  private static long end(TrainingStep step) {
    OffsetRun run = step.getBatch().get(step.getBatch().size() - 1);
    return run.getFirstOffset() + run.getCount();
  }

  @ParameterizedTest
  @MethodSource("releases")
  void anEarlierReleasesAdaptersOpen(Release release) throws Exception {
    List<AdapterVersion> versions = release.records(Topics.ADAPTERS, AdapterVersion.class);

    assertThat(versions).isNotEmpty();
    for (AdapterVersion version : versions) {
      byte[] payload = new byte[version.getPayload().remaining()];
      version.getPayload().get(payload);
      assertThat(Sha256.of(payload)).isEqualTo(version.getSha256());
      Adapter adapter = Adapter.fromPayload(payload);
      assertThat(adapter.version()).isEqualTo(version.getVersion());
      assertThat(adapter.positionsSha256()).isEqualTo(version.getManifest().getPositionsSha256());
    }
  }

  @ParameterizedTest
  @MethodSource("releases")
  void anEarlierReleasesSnapshotsHoldTheStatesOnRecord(Release release) throws Exception {
    Map<String, String> onRecord =
        release.records(Topics.TRAINING_STEPS, TrainingStep.class).stream()
            .collect(
                Collectors.toMap(
                    step -> step.getDomain() + " step " + step.getStep(),
                    TrainingStep::getStateSha256));
    List<TrainingSnapshot> snapshots =
        release.records(Topics.TRAINING_SNAPSHOTS, TrainingSnapshot.class);
    ModelFiles miniLm =
        new ModelStore(Path.of(System.getProperty("millrace.test.models")))
            .prepare(ModelStore.MINILM, (model, done, total) -> {});
    TrainingSettings any = TrainingSettings.defaults(AdapterMethod.parse("head"));

    assertThat(snapshots).isNotEmpty();
    try (BaseModel base = BaseModel.load(miniLm, Torch.device("cpu"), Set.of());
        DomainTrainer trainer = new DomainTrainer(base, any, Map.of(), 1)) {
      for (TrainingSnapshot snapshot : snapshots) {
        assertThat(trainer.sha256(snapshot.getState()))
            .isEqualTo(snapshot.getStateSha256())
            .isEqualTo(onRecord.get(snapshot.getDomain() + " step " + snapshot.getStep()));
      }
    }
  }
}
