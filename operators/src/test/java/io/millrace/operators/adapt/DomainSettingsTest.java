package io.millrace.operators.adapt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.operators.MiniLm;
import io.millrace.operators.Received;
import io.millrace.operators.adapt.AdaptSettings.Groups;
import io.millrace.operators.model.SharedModel;
import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.BatchClosedBy;
import io.millrace.schemas.RolloutPolicy;
import io.millrace.schemas.TrainingRun;
import io.millrace.schemas.TrainingStep;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.training.TrainingSettings;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Domains of one job with settings of their own. */
@Tag("integration")
class DomainSettingsTest {
  private static final List<String> DOMAINS = List.of("a", "b", "lora/x", "lora/y", "head");
  private static final int EXAMPLES = 14;
  private static final DomainSettings PLAIN = settings("svft:plain", 4, 2);
  private static final DomainSettings LORA = settings("lora:2;weights=value", 3, 1);
  private static final DomainSettings HEAD = settings("head", 5, 3);

  /** As domain a, but for the size of its batches: both train in one pass. */
  private static final DomainSettings SMALL = settings("svft:plain", 2, 2);

  private static final DomainRules RULES = rules(Map.of("lora/*", LORA, "head", HEAD, "b", SMALL));

  private static Map<String, List<String>> ownJobs;

  @BeforeAll
  static void train() throws Exception {
    ownJobs = ofJobsOfTheirOwn();
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 100})
  void eachTrainsAsInAJobWithItsSettingsForAll(int tokens) throws Exception {
    try (AdaptHarness adapt = AdaptHarness.start(job(RULES, tokens))) {
      receive(adapt, 0, EXAMPLES);
      adapt.endOfInput();

      assertThat(AdaptHarness.hashes(List.of(adapt))).isEqualTo(ownJobs);
      assertThat(adapt.steps("lora/x").get(0).getBatch().get(0).getCount()).isEqualTo(3);
      assertThat(adapt.steps("head")).hasSize(3);
      assertThat(versions(adapt, "head"))
          .extracting(AdapterVersion::getMethod)
          .containsOnly("head");
      for (String domain : DOMAINS) {
        TrainingRun run = versions(adapt, domain).get(0).getManifest().getRuns().get(0);
        assertThat(run.getSettings()).isEqualTo(RULES.of(domain).recorded());
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {5, 11})
  void aRunBrokenOffGivesTheSameHashes(int brokenAt) throws Exception {
    AdaptSettings job = job(RULES, 200);
    try (AdaptHarness broken = AdaptHarness.start(job)) {
      receive(broken, 0, brokenAt);
      OperatorSubtaskState snapshot = broken.snapshot();
      try (AdaptHarness again = AdaptHarness.restore(job, snapshot)) {
        receive(again, brokenAt, EXAMPLES);
        again.endOfInput();

        assertThat(AdaptHarness.hashes(List.of(broken, again))).isEqualTo(ownJobs);
      }
    }
  }

  @Test
  void aBatchWaitsAsLongAsItsDomainSays() throws Exception {
    DomainSettings patient =
        new DomainSettings(
            PLAIN.training(),
            4,
            Duration.ofSeconds(60),
            2,
            2,
            PLAIN.recorded(),
            InitFrom.BASE,
            RolloutPolicy.LATEST);
    DomainSettings endless =
        new DomainSettings(
            PLAIN.training(),
            4,
            Duration.ZERO,
            2,
            2,
            PLAIN.recorded(),
            InitFrom.BASE,
            RolloutPolicy.LATEST);
    AdaptSettings job = job(rules(Map.of("b", patient, "head", endless)), 1);
    try (AdaptHarness adapt = AdaptHarness.start(job)) {
      List<String> domains = List.of("a", "b", "head");
      for (int partition = 0; partition < domains.size(); partition++) {
        adapt.receive(Received.example(domains.get(partition), partition, 0, 0));
        adapt.receive(Received.example(domains.get(partition), partition, 1, 6_000));
        adapt.receive(Received.example(domains.get(partition), partition, 2, 70_000));
      }

      assertThat(adapt.steps("a")).hasSize(2);
      assertThat(adapt.steps("b"))
          .extracting(TrainingStep::getClosedBy)
          .containsExactly(BatchClosedBy.TIMEOUT);
      assertThat(adapt.steps("head")).isEmpty();
    }
  }

  /** As with a method for all: the state is kept, and the message says what keeps it. */
  @Test
  void aDomainWhoseMethodWasChangedIsRefusedAndTheOthersGoOn() throws Exception {
    OperatorSubtaskState snapshot;
    try (AdaptHarness adapt = AdaptHarness.start(job(RULES, 1))) {
      receive(adapt, 0, 6);
      snapshot = adapt.snapshot();
    }
    try (AdaptHarness adapt =
        AdaptHarness.restore(job(rules(Map.of("lora/*", LORA, "b", SMALL)), 1), snapshot)) {
      adapt.receive("lora/x", 6, 9);
      adapt.receive("a", 6, 9);

      assertThat(adapt.steps()).extracting(TrainingStep::getStep).containsOnly(2L, 3L);
      assertThatThrownBy(() -> adapt.receive("head", 6, 10))
          .isInstanceOf(PermanentFailureException.class)
          .hasMessage(
              "domain head was trained with the adapter method head, the setting is svft:plain: set"
                  + " the method that it was trained with (for this domain alone:"
                  + " domains.head.adapter.method), or start without its state");
    }
  }

  @Test
  void changedRatesAndBatchSizesTakeEffectFromTheNextBatchAndAreRecorded() throws Exception {
    OperatorSubtaskState snapshot;
    try (AdaptHarness adapt = AdaptHarness.start(job(RULES, 1))) {
      receive(adapt, 0, 4);
      snapshot = adapt.snapshot();
    }
    try (AdaptHarness adapt = AdaptHarness.restore(job(rules(Map.of("a", SMALL)), 1), snapshot)) {
      adapt.receive("a", 4, 6);

      assertThat(adapt.steps("a")).hasSize(1);
      assertThat(versions(adapt, "a").get(0).getManifest().getRuns())
          .extracting(TrainingRun::getSettings)
          .containsExactly(PLAIN.recorded(), SMALL.recorded());
    }
  }

  @Test
  void baseModelsAreGivenBackAlsoWhereAMethodDoesNotFit() throws Exception {
    int before = SharedModel.loaded();
    AdaptSettings job = job(rules(Map.of("b", HEAD, "c", settings("full", 4, 2))), 1);
    try (AdaptHarness adapt = AdaptHarness.start(job(RULES, 1))) {
      assertThat(SharedModel.loaded())
          .as("weights as factors and as they are")
          .isEqualTo(before + 1);
    }

    assertThatThrownBy(
            () ->
                AdaptHarness.start(
                    new AdaptSettings(
                        job.domains(),
                        job.modelStore(),
                        job.modelName(),
                        job.device(),
                        1,
                        "",
                        AdaptSettings.Limits.DEFAULT.withRecords(1 << 20, 1 << 20),
                        job.groups(),
                        0)))
        .isInstanceOf(PermanentFailureException.class)
        .hasMessageContaining("adapter method full takes more than");
    assertThat(SharedModel.loaded()).isEqualTo(before);
  }

  private static DomainSettings settings(String method, int batchSize, int everySteps) {
    return new DomainSettings(
        TrainingSettings.defaults(AdapterMethod.parse(method)),
        batchSize,
        Duration.ofSeconds(5),
        everySteps,
        2,
        new TreeMap<>(Map.of("adapter.method", method, "batch.size", "" + batchSize)),
        InitFrom.BASE,
        RolloutPolicy.LATEST);
  }

  private static DomainRules rules(Map<String, DomainSettings> rules) {
    Map<DomainPattern, DomainSettings> all = new HashMap<>();
    rules.forEach((pattern, settings) -> all.put(new DomainPattern(pattern), settings));
    return new DomainRules(PLAIN, all);
  }

  private static AdaptSettings job(DomainRules rules, int tokens) {
    return MiniLm.settings(new Groups(tokens, Duration.ofMillis(10))).with(rules);
  }

  private static void receive(AdaptHarness adapt, int from, int to) throws Exception {
    for (int i = from; i < to; i++) {
      for (String domain : DOMAINS) {
        adapt.receive(domain, i, i + 1);
      }
    }
  }

  /** The hashes of each domain from a job that has its settings, and no rules. */
  private static Map<String, List<String>> ofJobsOfTheirOwn() throws Exception {
    Map<String, List<String>> hashes = new TreeMap<>();
    for (String domain : DOMAINS) {
      try (AdaptHarness adapt =
          AdaptHarness.start(MiniLm.settings().with(new DomainRules(RULES.of(domain))))) {
        adapt.receive(domain, 0, EXAMPLES);
        adapt.endOfInput();
        hashes.putAll(AdaptHarness.hashes(List.of(adapt)));
      }
    }
    return hashes;
  }

  private static List<AdapterVersion> versions(AdaptHarness adapt, String domain) {
    return adapt.versions().stream().filter(version -> version.getDomain().equals(domain)).toList();
  }
}
