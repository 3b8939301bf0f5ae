package io.millrace.operators.adapt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.operators.MiniLm;
import io.millrace.operators.Received;
import io.millrace.operators.adapt.AdaptSettings.Groups;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.BatchClosedBy;
import io.millrace.schemas.DomainState;
import io.millrace.schemas.ReceivedExample;
import io.millrace.schemas.StartVersion;
import io.millrace.schemas.TrainingStep;
import io.millrace.svft.adapter.Adapter;
import io.millrace.svft.export.PeftExport;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.ModelFiles;
import io.millrace.svft.model.ModelStore;
import io.millrace.svft.tensor.Torch;
import io.millrace.svft.training.TrainingSettings;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.LongStream;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What new domains start from. Batches of four, a version every two steps. */
@Tag("integration")
class DomainStartTest {
  private static AdapterVersion first;
  private static AdapterVersion second;

  @TempDir private Path directory;

  @BeforeAll
  static void trainTheDomainAbove() throws Exception {
    try (AdaptHarness adapt = AdaptHarness.start(MiniLm.settings())) {
      adapt.receive("a", 0, 16);
      first = adapt.versions().get(0);
      second = adapt.versions().get(1);
    }
  }

  @Test
  void aNewDomainGoesOnFromTheNearestVersionAboveAndSaysSo() throws Exception {
    Shelf shelf = new Shelf(second);
    try (AdaptHarness adapt = AdaptHarness.start(MiniLm.settings(), shelf);
        DomainTrainer trainer = trainer(MiniLm.settings())) {
      adapt.receive("a/b/c", 20, 36);

      DomainState expected = trainer.initialState(second);
      assertThat(expected.getLabels()).containsExactly("negative", "positive");
      assertThat(expected.getSteps()).isZero();
      assertThat(expected.getVersion()).isZero();
      TrainingStep step = trainer.step("a/b/c", expected, batch("a/b/c", 20), BatchClosedBy.COUNT);
      assertThat(adapt.steps().get(0).getStateSha256()).isEqualTo(step.getStateSha256());
      assertThat(adapt.steps().get(0).getCorrect())
          .as("its first batch is predicted by the head of the version above")
          .contains(true);
      assertThat(adapt.versions())
          .hasSize(2)
          .allSatisfy(
              version -> assertThat(version.getManifest().getStartedFrom()).isEqualTo(ref(second)));
      assertThat(adapt.versions().get(0).getVersion()).isEqualTo(1);
      assertThat(adapt.versions().get(0).getParentSha256()).isNull();
      assertThat(adapt.versions().get(0).getExamples()).isEqualTo(8);
      assertThat(adapt.snapshots().get(0).getState().getStartedFrom()).isEqualTo(ref(second));
      assertThat(shelf.asked).containsExactly("a/b", "a");
    }
  }

  @Test
  void withoutAVersionAboveItIsTheBaseModel() throws Exception {
    try (AdaptHarness adapt = AdaptHarness.start(MiniLm.settings(), new Shelf(second))) {
      adapt.receive("c/b", 20, 28);

      assertThat(hashes(adapt)).isEqualTo(fromBase("c/b"));
      assertThat(adapt.versions().get(0).getManifest().getStartedFrom()).isNull();
    }
  }

  @Test
  void aDomainWhoseSettingsSayTheBaseModelAsksForNoVersion() throws Exception {
    DomainSettings all = MiniLm.settings().domains().others();
    DomainSettings base = from(all, InitFrom.BASE);
    DomainRules rules = new DomainRules(all, Map.of(new DomainPattern("a/b/*"), base));
    Shelf shelf = new Shelf(second);
    try (AdaptHarness adapt = AdaptHarness.start(MiniLm.settings().with(rules), shelf)) {
      adapt.receive("a/b/c", 20, 28);
      assertThat(hashes(adapt)).isEqualTo(fromBase("a/b/c"));
      assertThat(shelf.asked).isEmpty();

      adapt.receive("a/b", 20, 28);
      assertThat(shelf.asked).containsExactly("a");
    }
  }

  @Test
  void aRestoreChoosesNothingAgain() throws Exception {
    List<String> undisturbed;
    try (AdaptHarness adapt = AdaptHarness.start(MiniLm.settings(), new Shelf(first))) {
      adapt.receive("a/b", 20, 36);
      undisturbed = hashes(adapt);
    }
    List<String> broken = new ArrayList<>();
    OperatorSubtaskState snapshot;
    try (AdaptHarness adapt = AdaptHarness.start(MiniLm.settings(), new Shelf(first))) {
      adapt.receive("a/b", 20, 25);
      broken.addAll(hashes(adapt));
      snapshot = adapt.snapshot();
    }
    Shelf later = new Shelf(second);
    try (AdaptHarness adapt = AdaptHarness.restore(MiniLm.settings(), later, snapshot)) {
      adapt.receive("a/b", 25, 36);

      broken.addAll(hashes(adapt));
      assertThat(broken).isEqualTo(undisturbed);
      assertThat(later.asked).isEmpty();
      assertThat(adapt.versions().get(0).getManifest().getStartedFrom()).isEqualTo(ref(first));
    }
  }

  /** Of another method, damaged, or another's: never a guess at what would fit. */
  @Test
  void aVersionThatDoesNotFitIsNotUsed() throws Exception {
    AdaptSettings head =
        MiniLm.settings(TrainingSettings.defaults(AdapterMethod.parse("head")), MiniLm.STORE);
    AdapterVersion ofHead;
    try (AdaptHarness adapt = AdaptHarness.start(head)) {
      adapt.receive("a/b", 0, 8);
      ofHead = adapt.versions().get(0);
    }
    byte[] bytes = new byte[second.getPayload().remaining()];
    second.getPayload().duplicate().get(bytes);
    bytes[bytes.length / 2] ^= 1;
    AdapterVersion damaged =
        AdapterVersion.newBuilder(second)
            .setDomain("a/b")
            .setPayload(ByteBuffer.wrap(bytes))
            .build();
    AdapterVersion others = AdapterVersion.newBuilder(second).setDomain("a/b").build();

    for (AdapterVersion version : List.of(ofHead, damaged, others)) {
      try (AdaptHarness adapt = AdaptHarness.start(MiniLm.settings(), new Shelf(version, second))) {
        adapt.receive("a/b/c", 20, 28);

        assertThat(hashes(adapt)).isEqualTo(fromBase("a/b/c"));
        assertThat(adapt.versions().get(0).getManifest().getStartedFrom()).isNull();
      }
    }
  }

  /** Positions without the shares of the rate that belong to them would train as something else. */
  @Test
  void chosenPositionsOfAGradientPatternAreNotGoneOnFrom() throws Exception {
    AdaptSettings gradient =
        MiniLm.settings(
            TrainingSettings.defaults(AdapterMethod.parse("svft:gradient:0")), MiniLm.STORE);
    AdapterVersion undecided;
    AdapterVersion decided;
    try (AdaptHarness adapt = AdaptHarness.start(gradient)) {
      adapt.receive("a", 0, 16);
      undecided = adapt.versions().get(0);
      decided = adapt.versions().get(1);
    }
    for (AdapterVersion version : List.of(undecided, decided)) {
      try (AdaptHarness adapt = AdaptHarness.start(gradient, new Shelf(version))) {
        adapt.receive("a/b", 20, 28);

        assertThat(adapt.versions().get(0).getManifest().getStartedFrom())
            .isEqualTo(version == undecided ? ref(undecided) : null);
      }
    }
  }

  @Test
  void whatCannotBeLookedUpNowFailsInOneLineAndLeavesNoState() throws Exception {
    Shelf away = new Shelf();
    away.failure = new IOException("nothing came for 30 s");
    try (AdaptHarness adapt = AdaptHarness.start(MiniLm.settings(), away)) {
      assertThatThrownBy(() -> adapt.receive("a/b", 0, 4))
          .isInstanceOf(IOException.class)
          .hasMessage(
              "a/b cannot start: the latest version of a was not found out: nothing came for 30 s");
      assertThat(adapt.state("a/b")).isNull();
    }
  }

  @Test
  void domainsThatTrainTogetherHaveTheBitsOfEachAlone() throws Exception {
    List<String> alone = new ArrayList<>();
    List<String> together = new ArrayList<>();
    for (Groups groups : List.of(Groups.NONE, Groups.DEFAULT)) {
      try (AdaptHarness adapt =
          AdaptHarness.start(MiniLm.settings(groups), new Shelf(first, second))) {
        for (int offset = 20; offset < 35; offset++) {
          adapt.receive("a/b", offset, offset + 1);
          adapt.receive("a/c/d", offset + 1, offset + 2);
          adapt.receive("base", offset + 2, offset + 3);
        }
        adapt.endOfInput();

        (groups == Groups.NONE ? alone : together).addAll(hashes(adapt));
        assertThat(adapt.versions())
            .allSatisfy(
                version ->
                    assertThat(version.getManifest().getStartedFrom())
                        .isEqualTo(version.getDomain().startsWith("a/") ? ref(second) : null));
      }
    }
    assertThat(together).containsExactlyInAnyOrderElementsOf(alone).hasSize(3 * (4 + 2));
  }

  @Test
  void aDomainStartsFromAnAdapterOfPeftOfWhichARestoreNeedsNothing() throws Exception {
    InitFrom from = InitFrom.parse("peft:" + peft()).pinned();
    AdaptSettings settings = lora(from);
    List<String> undisturbed;
    OperatorSubtaskState snapshot;
    List<String> broken = new ArrayList<>();
    // As the operator holds it for this method: with its weights whole.
    ModelFiles miniLm =
        new ModelStore(Path.of(MiniLm.STORE)).prepare(ModelStore.MINILM, (m, done, total) -> {});
    try (AdaptHarness adapt = AdaptHarness.start(settings);
        BaseModel base = BaseModel.load(miniLm, Torch.device("cpu"), Set.of());
        DomainTrainer trainer = trainer(base, settings)) {
      adapt.receive("b", 20, 28);

      DomainState expected = trainer.initialState(trainer.peft(from));
      assertThat(expected.getLabels()).containsExactly("negative", "positive");
      TrainingStep step = trainer.step("b", expected, batch("b", 20), BatchClosedBy.COUNT);
      assertThat(adapt.steps().get(0).getStateSha256()).isEqualTo(step.getStateSha256());
      assertThat(adapt.steps().get(0).getCorrect()).contains(true);
      broken.addAll(hashes(adapt));
      snapshot = adapt.snapshot();
      adapt.receive("b", 28, 36);
      undisturbed = hashes(adapt);
    }
    Files.writeString(Path.of(from.directory()).resolve("adapter_config.json"), "{}");
    try (AdaptHarness adapt = AdaptHarness.restore(settings, ParentVersions.none(), snapshot)) {
      adapt.receive("b", 28, 36);

      broken.addAll(hashes(adapt));
      assertThat(broken).containsExactlyInAnyOrderElementsOf(undisturbed);
      assertThatThrownBy(() -> adapt.receive("c", 0, 4))
          .isInstanceOf(PermanentFailureException.class)
          .hasMessageStartingWith(
              "c cannot start from the adapter of PEFT in %1$s: %1$s has changed: its content had the SHA-256 %2$s and has "
                  .formatted(from.directory(), from.sha256()));
    }
  }

  @Test
  void anAdapterOfPeftThatDoesNotFitEndsTheJob() throws Exception {
    InitFrom from = InitFrom.parse("peft:" + peft()).pinned();
    AdaptSettings settings = MiniLm.settings();
    AdaptSettings plain = settings.with(new DomainRules(from(settings.domains().others(), from)));
    try (AdaptHarness adapt = AdaptHarness.start(plain)) {
      assertThatThrownBy(() -> adapt.receive("b", 0, 4))
          .isInstanceOf(PermanentFailureException.class)
          .hasMessageContaining("the setting is svft:plain: set adapter.method=lora, lora.rank=2");
      assertThat(adapt.state("b")).isNull();
    }
  }

  /** The directory of an adapter that was trained on the domain {@code a}. */
  private Path peft() throws Exception {
    try (AdaptHarness adapt = AdaptHarness.start(lora(InitFrom.BASE))) {
      adapt.receive("a", 0, 8);
      Adapter adapter = Adapter.fromPayload(adapt.versions().get(0).getPayload().duplicate());
      PeftExport.write(MiniLm.base(), adapter, directory);
      return directory;
    }
  }

  private static AdaptSettings lora(InitFrom from) {
    AdaptSettings lora =
        MiniLm.settings(
            TrainingSettings.defaults(AdapterMethod.parse("lora:2;weights=query")), MiniLm.STORE);
    return lora.with(new DomainRules(from(lora.domains().others(), from)));
  }

  private static DomainSettings from(DomainSettings all, InitFrom from) {
    return new DomainSettings(
        all.training(),
        all.batchSize(),
        all.batchTimeout(),
        all.publishEverySteps(),
        all.snapshotEveryVersions(),
        all.recorded(),
        from,
        all.firstPolicy());
  }

  private static StartVersion ref(AdapterVersion version) {
    return new StartVersion(version.getDomain(), version.getVersion(), version.getSha256());
  }

  private static DomainTrainer trainer(AdaptSettings settings) {
    return trainer(MiniLm.base(), settings);
  }

  private static DomainTrainer trainer(BaseModel base, AdaptSettings settings) {
    return new DomainTrainer(
        base, settings.domains().others().training(), settings.domains().others().recorded(), 1);
  }

  private static List<ReceivedExample> batch(String domain, long from) {
    return LongStream.range(from, from + 4)
        .mapToObj(offset -> Received.example(domain, 0, offset, offset))
        .toList();
  }

  private static List<String> fromBase(String domain) throws Exception {
    try (AdaptHarness adapt = AdaptHarness.start(MiniLm.settings())) {
      adapt.receive(domain, 20, 28);
      return hashes(adapt);
    }
  }

  /** Domain, number and hash of every step and version. */
  private static List<String> hashes(AdaptHarness adapt) {
    List<String> hashes = new ArrayList<>();
    for (TrainingStep step : adapt.steps()) {
      hashes.add(step.getDomain() + " step " + step.getStep() + " " + step.getStateSha256());
    }
    for (AdapterVersion version : adapt.versions()) {
      hashes.add(version.getDomain() + "@" + version.getVersion() + " " + version.getSha256());
    }
    return hashes;
  }

  /** The last of a domain's versions is the latest. */
  private static final class Shelf implements ParentVersions {
    private static final long serialVersionUID = 1;

    private final transient Map<String, AdapterVersion> versions = new HashMap<>();
    private final transient List<String> asked = new ArrayList<>();
    private IOException failure;

    Shelf(AdapterVersion... versions) {
      for (AdapterVersion version : versions) {
        this.versions.put(version.getDomain(), version);
      }
    }

    @Override
    public Optional<AdapterVersion> latest(String domain) throws IOException {
      if (failure != null) {
        throw failure;
      }
      asked.add(domain);
      return Optional.ofNullable(versions.get(domain));
    }

    @Override
    public void close() {
      // Nothing is held open.
    }
  }
}
