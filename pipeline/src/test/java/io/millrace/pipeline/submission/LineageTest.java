package io.millrace.pipeline.submission;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Settings;
import io.millrace.pipeline.settings.JobSettings;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.apache.flink.api.common.JobID;
import org.apache.flink.core.execution.RecoveryClaimMode;
import org.apache.flink.runtime.checkpoint.Checkpoints;
import org.apache.flink.runtime.checkpoint.MasterState;
import org.apache.flink.runtime.checkpoint.metadata.CheckpointMetadata;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("unit")
class LineageTest {
  @TempDir private Path directory;

  @Test
  void aJobWithoutCheckpointsStartsWithoutState() throws Exception {
    assertThat(latest("reviews")).isEmpty();
    assertThat(StartingState.latest(directory.resolve("missing").toString(), "reviews")).isEmpty();
  }

  @Test
  void aStartGoesOnFromItsOwnJobsNewestCheckpoint() throws Exception {
    JobID reviews = start("reviews", Optional.empty());
    checkpoint(reviews, 3, "reviews");
    Path newest = checkpoint(reviews, 4, "reviews");
    JobID mails = start("mails", Optional.empty());
    checkpoint(mails, 90, "mails");

    StartingState state = latest("reviews").orElseThrow();
    assertThat(state.path()).isEqualTo(uri(newest));
    assertThat(state.claimMode()).isEqualTo(RecoveryClaimMode.CLAIM);
    assertThat(state.lineage()).contains(reviews);
  }

  @Test
  void aCheckpointThatWasCutOffIsLeftOut() throws Exception {
    JobID id = start("reviews", Optional.empty());
    Path complete = checkpoint(id, 7, "reviews");
    Path cutOff = checkpoint(id, 8, "reviews");
    byte[] metadata = Files.readAllBytes(cutOff.resolve("_metadata"));
    Files.write(cutOff.resolve("_metadata"), List.of(new String(metadata, 0, 20)));
    Files.createDirectories(cutOff.resolveSibling("chk-9"));

    assertThat(latest("reviews").orElseThrow().path()).isEqualTo(uri(complete));
  }

  @Test
  void aStartBeforeItsFirstCheckpointGoesOnFromThatOfTheStartBefore() throws Exception {
    JobID first = start("reviews", Optional.empty());
    Path newest = checkpoint(first, 4, "reviews");
    start("reviews", latest("reviews"));

    StartingState state = latest("reviews").orElseThrow();
    assertThat(state.path()).isEqualTo(uri(newest));
    assertThat(state.lineage()).contains(first);
  }

  /** Also where the branch has nothing yet, and however far its predecessor had come. */
  @Test
  void aStartWithoutStateAbandonsWhatWasBefore() throws Exception {
    checkpoint(start("reviews", Optional.empty()), 500, "reviews");
    JobID branch = start("reviews", Optional.empty());

    assertThat(latest("reviews")).isEmpty();

    Path first = checkpoint(branch, 1, "reviews");
    assertThat(latest("reviews").orElseThrow().path()).isEqualTo(uri(first));
  }

  @Test
  void aStartFromAnOldStateAbandonsWhatCameAfterIt() throws Exception {
    JobID before = start("reviews", Optional.empty());
    Path old = checkpoint(before, 10, "reviews");
    checkpoint(before, 500, "reviews");
    JobID branch = start("reviews", Optional.of(StartingState.savepoint(uri(old))));
    Path first = checkpoint(branch, 11, "reviews");

    StartingState state = latest("reviews").orElseThrow();
    assertThat(state.path()).isEqualTo(uri(first));
    assertThat(state.lineage()).contains(branch);
  }

  @Test
  void aJobThatWasStoppedGoesOnFromItsSavepointWhichStaysItsUsers() throws Exception {
    JobID id = start("reviews", Optional.empty());
    Path savepoint = write(directory.resolve("savepoints/savepoint-1"), 12, "reviews");
    checkpoints().recordStop(id, uri(savepoint));

    StartingState state = latest("reviews").orElseThrow();
    assertThat(state.path()).isEqualTo(uri(savepoint));
    assertThat(state.claimMode()).isEqualTo(RecoveryClaimMode.NO_CLAIM);
    assertThat(state.lineage()).contains(id);
  }

  /** Earlier builds left no record; the sink's state names the job. */
  @Test
  void aCheckpointOfAnEarlierBuildCountsForTheJobThatItNames() throws Exception {
    checkpoint(new JobID(), 90, "reviews-2");
    Path ours = checkpoint(new JobID(), 40, "reviews");
    checkpoint(new JobID(), 30, "reviews");

    assertThat(latest("reviews").orElseThrow().path()).isEqualTo(uri(ours));
    assertThat(Lineage.read(directory.toString(), "reviews").remark())
        .isEqualTo(", which an earlier build has written for a job of this name");
    assertThat(latest("mails")).isEmpty();
  }

  @Test
  void aCheckpointOfAnEarlierBuildThatIsNewerThanTheLineageIsForAPersonToTell() throws Exception {
    JobID id = start("reviews", Optional.empty());
    checkpoint(id, 4, "reviews");
    Path old = checkpoint(new JobID(), 90, "reviews");
    touch(old, Instant.now().minusSeconds(60));
    assertThat(latest("reviews").orElseThrow().path()).endsWith("chk-4");

    touch(old, Instant.now().plusSeconds(60));
    assertThatThrownBy(() -> latest("reviews"))
        .isInstanceOf(UsageException.class)
        .hasMessageStartingWith(uri(old) + " is a checkpoint of job reviews that is newer than")
        .hasMessageEndingWith("name the state to go on from with --from");
  }

  @Test
  void settingsThatCannotReadTheStateAreRefused() throws Exception {
    Path checkpoint = checkpoint(start("reviews", Optional.empty()), 4, "reviews");
    StartingState state = latest("reviews").orElseThrow();
    Lineage lineage = Lineage.read(directory.toString(), "reviews");

    lineage.requireReadable(state, settings("reviews", "training.learningRate=0.5"));
    assertThatThrownBy(
            () -> lineage.requireReadable(state, settings("reviews", "svft.pattern=banded:1")))
        .isInstanceOf(UsageException.class)
        .hasMessageStartingWith(uri(checkpoint) + " was trained with the adapter method svft:plain")
        .hasMessageContaining("the settings say svft:banded:1");
    assertThatThrownBy(
            () -> lineage.requireReadable(state, settings("reviews", "model.name=bge-small")))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("was trained with the base model minilm, the settings say bge-small");
  }

  /** A domain that no example came of may have any method, so nothing is refused. */
  @Test
  void methodsOfDomainsThatChangeAreNamed() throws Exception {
    Settings before =
        settings("reviews", "domains.a/*.adapter.method=lora", "domains.b.batch.size=4");
    JobID id = new JobID();
    checkpoints().record(JobStart.now(before, id, 1, Optional.empty()));
    checkpoint(id, 1, "reviews");
    StartingState state = latest("reviews").orElseThrow();
    Lineage lineage = Lineage.read(directory.toString(), "reviews");

    Settings after =
        settings("reviews", "domains.b.adapter.method=head", "domains.a/x.lora.rank=2");
    lineage.requireReadable(state, after);
    assertThat(lineage.changedMethods(state, after))
        .containsExactly(
            "Warning: domains a/*, a/x had the adapter method lora:8;alpha=16, the settings say"
                + " svft:plain: the job ends with the next batch of one that has state",
            "Warning: domains b had the adapter method svft:plain, the settings say head: the job"
                + " ends with the next batch of one that has state");
    assertThat(lineage.changedMethods(state, before)).isEmpty();
    assertThat(
            lineage.changedMethods(
                state,
                settings("reviews", "domains.*.batch.size=2", "domains.a/*.adapter.method=lora")))
        .isEmpty();
  }

  @Test
  void aModelOfTheSameNameWithOtherWeightsIsRefused() throws Exception {
    Path store = directory.resolve("models");
    describe(store, "1".repeat(64));
    JobID id = new JobID();
    checkpoints()
        .record(
            JobStart.now(
                settings("reviews", "model.name=own", "model.store=" + store),
                id,
                1,
                Optional.empty()));
    checkpoint(id, 1, "reviews");
    StartingState state = latest("reviews").orElseThrow();
    describe(store, "2".repeat(64));

    assertThatThrownBy(
            () ->
                Lineage.read(directory.toString(), "reviews")
                    .requireReadable(
                        state, settings("reviews", "model.name=own", "model.store=" + store)))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("was trained with the base model 1111")
        .hasMessageContaining("the settings say own, 2222");
  }

  private static void describe(Path store, String hash) throws IOException {
    Path folder = Files.createDirectories(store.resolve("own"));
    Files.writeString(
        folder.resolve("model.json"),
        """
        {"config": {"architecture": "bert", "pooling": "mean", "layers": 1, "hidden": 8,
         "heads": 1, "intermediate": 16, "vocabulary": 10, "maxPositions": 16, "positionOffset": 0,
         "typeVocabulary": 2, "layerNormEps": 1e-12},
         "baseSha256": "%s", "basisSha256": "b", "tokenizerSha256": "t"}
        """
            .formatted(hash));
  }

  private JobID start(String job, Optional<StartingState> from) throws IOException {
    JobID id = new JobID();
    long number = checkpoints().starts(job).size() + 1L;
    checkpoints().record(JobStart.now(settings(job), id, number, from));
    return id;
  }

  private CheckpointDirectory checkpoints() {
    return CheckpointDirectory.of(directory.toString());
  }

  private Optional<StartingState> latest(String job) throws IOException {
    return StartingState.latest(directory.toString(), job);
  }

  private Path checkpoint(JobID start, int number, String job) throws IOException {
    return write(directory.resolve(start.toHexString()).resolve("chk-" + number), number, job);
  }

  /** The metadata that Flink would write, with the transactional sink's state in it. */
  private static Path write(Path checkpoint, int number, String job) throws IOException {
    Files.createDirectories(checkpoint);
    ByteArrayOutputStream sink = new ByteArrayOutputStream();
    DataOutputStream out = new DataOutputStream(sink);
    out.writeInt(2);
    out.writeInt(2 + job.length() + 16);
    out.writeUTF(job);
    out.write(new byte[16]);
    try (OutputStream metadata = Files.newOutputStream(checkpoint.resolve("_metadata"))) {
      Checkpoints.storeCheckpointMetadata(
          new CheckpointMetadata(
              number, List.of(), List.of(new MasterState("sink", sink.toByteArray(), 1))),
          metadata);
    }
    return checkpoint;
  }

  private static void touch(Path checkpoint, Instant time) throws IOException {
    Files.setLastModifiedTime(checkpoint.resolve("_metadata"), FileTime.from(time));
  }

  private static String uri(Path path) {
    return new org.apache.flink.core.fs.Path(path.toUri().toString()).toString();
  }

  private static Settings settings(String job, String... sets) {
    return Settings.of(JobSettings.ALL, null, List.of(sets)).with(JobSettings.GROUP, job);
  }
}
