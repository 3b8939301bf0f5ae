package io.millrace.operators.adapt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import io.millrace.operators.MiniLm;
import io.millrace.operators.Received;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.DomainState;
import io.millrace.schemas.OutgoingRecord;
import io.millrace.schemas.StreamPosition;
import io.millrace.schemas.Topics;
import io.millrace.schemas.TrainingStep;
import io.millrace.schemas.signing.TrustedKeys;
import io.millrace.svft.adapter.Adapter;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.tensor.Sha256;
import io.millrace.svft.training.TrainingSettings;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.Key;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.util.Base64;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What leaves for the sink. A version every two steps of four examples. */
@Tag("unit")
class PublishingTest {
  private AdaptHarness adapt;

  @BeforeEach
  void start() throws Exception {
    adapt = AdaptHarness.start(MiniLm.settings());
  }

  @AfterEach
  void stop() {
    adapt.close();
  }

  @Test
  void aVersionFollowsEverySecondStepAndASnapshotEverySecondVersion() throws Exception {
    adapt.receive("a", 0, 20);

    assertThat(adapt.output())
        .extracting(OutgoingRecord::getTopic)
        .containsExactly(
            Topics.TRAINING_STEPS,
            Topics.TRAINING_STEPS,
            Topics.ADAPTERS,
            Topics.ROLLOUTS,
            Topics.TRAINING_STEPS,
            Topics.TRAINING_STEPS,
            Topics.ADAPTERS,
            Topics.ROLLOUTS,
            Topics.TRAINING_SNAPSHOTS,
            Topics.TRAINING_STEPS);
  }

  @Test
  void theEndOfTheInputPublishesWhatNoVersionHoldsYet() throws Exception {
    adapt.receive("a", 0, 10);
    adapt.receive("b", 0, 8);
    adapt.endOfInput();

    assertThat(adapt.versions())
        .extracting(version -> version.getDomain() + "@" + version.getVersion())
        .containsExactlyInAnyOrder("a@1", "a@2", "b@1");
    assertThat(versionsOf("a").get(1).getSteps()).isEqualTo(3);
    assertThat(versionsOf("a").get(1).getExamples()).isEqualTo(10);
  }

  @Test
  void anEndAfterTheEndPublishesNothingMore() throws Exception {
    adapt.receive("a", 0, 5);
    adapt.endOfInput();
    adapt.endOfInput();

    assertThat(adapt.versions()).hasSize(1);
    assertThat(adapt.steps()).hasSize(2);
  }

  @Test
  void versionsFormAChainOfTheHashesOfTheirPayloads() throws Exception {
    adapt.receive("a", 0, 24);

    String parent = null;
    for (AdapterVersion version : adapt.versions()) {
      assertThat(version.getParentSha256()).isEqualTo(parent);
      assertThat(version.getSha256()).isEqualTo(Sha256.of(version.getPayload().array()));
      parent = version.getSha256();
    }
    assertThat(adapt.versions()).extracting(AdapterVersion::getVersion).containsExactly(1L, 2L, 3L);
  }

  @Test
  void aKeySignsVersionsAndChangesNothingElseAboutThem(@TempDir Path directory) throws Exception {
    KeyPair pair = KeyPairGenerator.getInstance("Ed25519").generateKeyPair();
    TrustedKeys trusted = TrustedKeys.read(List.of(pem(directory, "PUBLIC", pair.getPublic())));
    adapt.receive("a", 0, 16);

    try (AdaptHarness signing =
        AdaptHarness.start(signedWith(pem(directory, "PRIVATE", pair.getPrivate())))) {
      signing.receive("a", 0, 16);

      assertThat(signing.versions())
          .hasSize(2)
          .allSatisfy(
              version ->
                  assertThat(trusted.objection(version.getSha256(), version.getSignature()))
                      .isEmpty());
      assertThat(signing.versions())
          .extracting(AdapterVersion::getSha256, AdapterVersion::getPayload)
          .isEqualTo(
              adapt.versions().stream()
                  .map(version -> tuple(version.getSha256(), version.getPayload()))
                  .toList());
      assertThat(signing.versions())
          .extracting(version -> version.getManifest().getRuns().get(0).getSettings())
          .containsOnly(adapt.versions().get(0).getManifest().getRuns().get(0).getSettings());
    }
    assertThat(adapt.versions()).extracting(AdapterVersion::getSignature).containsOnlyNulls();
  }

  @Test
  void anOperatorWithoutTheKeyItIsToldToSignWithDoesNotStart(@TempDir Path directory) {
    Path missing = directory.resolve("no.pem");

    assertThatThrownBy(() -> AdaptHarness.start(signedWith(missing)))
        .hasMessage(
            "publish.signingKey: the key " + missing + " cannot be read: there is no such file");
  }

  private static AdaptSettings signedWith(Path key) {
    AdaptSettings settings = MiniLm.settings();
    return new AdaptSettings(
        settings.domains(),
        settings.modelStore(),
        settings.modelName(),
        settings.device(),
        settings.threads(),
        key.toString(),
        settings.limits(),
        settings.groups(),
        0);
  }

  private static Path pem(Path directory, String kind, Key key) throws Exception {
    String base64 = Base64.getMimeEncoder().encodeToString(key.getEncoded());
    return Files.writeString(
        directory.resolve(kind + ".pem"),
        "-----BEGIN %s KEY-----%n%s%n-----END %s KEY-----%n".formatted(kind, base64, kind));
  }

  @Test
  void theRecordSaysWhatThePayloadSays() throws Exception {
    adapt.receive("a", 0, 16);

    AdapterVersion version = adapt.versions().get(1);
    Adapter adapter = Adapter.fromPayload(version.getPayload());
    assertThat(adapter.domain()).isEqualTo(version.getDomain()).isEqualTo("a");
    assertThat(adapter.version()).isEqualTo(version.getVersion()).isEqualTo(2);
    assertThat(adapter.parentSha256()).isEqualTo(version.getParentSha256());
    assertThat(adapter.baseModel()).isEqualTo(version.getBaseModel()).isEqualTo("minilm");
    assertThat(adapter.baseSha256()).isEqualTo(version.getBaseSha256());
    assertThat(adapter.basisSha256()).isEqualTo(version.getBasisSha256());
    assertThat(adapter.method().id()).isEqualTo(version.getMethod()).isEqualTo("svft");
    assertThat(adapter.labels()).isEqualTo(version.getLabels()).contains("negative", "positive");
    assertThat(adapter.steps()).isEqualTo(version.getSteps()).isEqualTo(4);
    assertThat(adapter.examples()).isEqualTo(version.getExamples()).isEqualTo(16);
    assertThat(version.getTrainableParameters()).isEqualTo(13_824);
    assertThat(version.getTrainedThrough()).containsExactly(new StreamPosition(0, 15L));
    adapter.requireFits(MiniLm.base());
  }

  @Test
  void aVersionNamesTheLastOffsetOfEachPartition() throws Exception {
    for (int i = 0; i < 4; i++) {
      adapt.receive(Received.example("a", 2, 10 + i, i));
      adapt.receive(Received.example("a", 0, i, i));
    }

    assertThat(adapt.versions().get(0).getTrainedThrough())
        .containsExactly(new StreamPosition(0, 3L), new StreamPosition(2, 13L));
  }

  @Test
  void whatIsPublishedIsWhatStateHolds() throws Exception {
    adapt.receive("a", 0, 8);

    AdapterVersion version = adapt.versions().get(0);
    DomainState state = adapt.state("a");
    Adapter held = DomainStates.read(state, MiniLm.base()).toAdapter(MiniLm.base(), "a", 1, "");
    assertThat(held.sha256()).isEqualTo(version.getSha256()).isEqualTo(state.getVersionSha256());
    assertThat(state.getVersion()).isEqualTo(1);
    assertThat(state.getPublishedAtStep()).isEqualTo(state.getSteps()).isEqualTo(2);
  }

  @Test
  void aStepNamesTheHashOfTheStateItLeft() throws Exception {
    adapt.receive("a", 0, 4);
    TrainingStep step = adapt.steps().get(0);

    assertThat(DomainStates.read(adapt.state("a"), MiniLm.base()).sha256())
        .isEqualTo(step.getStateSha256());
    assertThat(step.getLoss()).isCloseTo(Math.log(2), org.assertj.core.api.Assertions.within(1e-5));
    assertThat(step.getStepMillis()).isPositive();
  }

  @Test
  void recordsOfADomainKeepTheirOrderAndGoToTheirKeys() throws Exception {
    adapt.receive("a", 0, 8);

    assertThat(adapt.output()).extracting(OutgoingRecord::getRoute).containsOnly("a");
    OutgoingRecord step = adapt.output().get(0);
    assertThat(step.getKey()).isEqualTo(Received.bytes("a"));
    assertThat(step.getPartitionBy()).isNull();
    OutgoingRecord version = adapt.output().get(2);
    assertThat(version.getKey()).isEqualTo(Received.bytes("a@1"));
    assertThat(version.getPartitionBy()).isEqualTo(Received.bytes("a"));
  }

  @Test
  void theMethodHeadPublishesTheHeadAlone() throws Exception {
    TrainingSettings head = TrainingSettings.defaults(AdapterMethod.parse("head"));
    try (AdaptHarness other = AdaptHarness.start(MiniLm.settings(head, MiniLm.STORE))) {
      other.receive("a", 0, 8);

      AdapterVersion version = other.versions().get(0);
      Adapter adapter = Adapter.fromPayload(version.getPayload());
      assertThat(version.getMethod()).isEqualTo("head");
      assertThat(version.getTrainableParameters()).isZero();
      assertThat(adapter.values()).isEmpty();
      assertThat(adapter.head()).doesNotContain(0);
    }
  }

  private List<AdapterVersion> versionsOf(String domain) {
    return adapt.versions().stream().filter(v -> v.getDomain().equals(domain)).toList();
  }
}
