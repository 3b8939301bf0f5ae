package io.millrace.pipeline.settings;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.client.process.UsageException;
import io.millrace.client.settings.Settings;
import io.millrace.operators.adapt.DomainRules;
import io.millrace.operators.adapt.DomainSettings;
import io.millrace.operators.adapt.InitFrom;
import io.millrace.operators.evidence.EvidenceSettings;
import io.millrace.schemas.RolloutPolicy;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Settings that some domains have for themselves. */
@Tag("unit")
class DomainKeyTest {
  @TempDir private Path directory;

  @ParameterizedTest
  @CsvSource({
    "domains.a.batch.size, a, batch.size",
    "domains.a/*.batch.size, a/*, batch.size",
    "domains.*.training.learningRate, *, training.learningRate",
    "domains.v1.2/x.y.svft.rank, v1.2/x.y, svft.rank",
    "domains.batch.size.batch.size, batch.size, batch.size",
    "domains.a.svft.adapter.method, a.svft, adapter.method",
    "'domains.two words.lora.rank', two words, lora.rank",
    "domains.domains.batch.size, domains, batch.size",
    "domains../*.batch.size, ./*, batch.size"
  })
  void theSettingIsTheLongestThatEndsTheKey(String key, String pattern, String setting) {
    assertThat(DomainKey.of(key).pattern().text()).isEqualTo(pattern);
    assertThat(DomainKey.of(key).setting().key()).isEqualTo(setting);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          domains.a.batch.sise=4          | no setting is called 'domains.a.batch.sise'; the nearest is domains.a.batch.size
          domains.x.y.learningRate=1      | no setting is called 'domains.x.y.learningRate'; the nearest is
          domains.a=4                     | no setting is called 'domains.a': write domains.NAME.SETTING
          domains.=4                      | no setting is called 'domains.': write domains.NAME.SETTING
          domains.batch.size=4            | domains.batch.size names no domain: write domains.NAME.batch.size
          domains..batch.size=4           | domains..batch.size: '' names no domains: write a domain's name, PREFIX/*
          domains.a*.batch.size=4         | domains.a*.batch.size: 'a*' names no domains: write a domain's name, PREFIX/*
          domains.a/*/b.batch.size=4      | domains.a/*/b.batch.size: 'a/*/b' names no domains
          domains.a.job.parallelism=2     | domains.a.job.parallelism: job.parallelism is a setting of the whole job; a domain can have its own adapter.method, adapter.weights,
          domains.a.training.kernels=fast | domains.a.training.kernels: training.kernels is a setting of the whole job
          domains.a.training.layout=slices| domains.a.training.layout: training.layout is a setting of the whole job
          domains.a.model.name=minilm     | domains.a.model.name: model.name is a setting of the whole job
          domains.a.batch.size=0          | domains.a.batch.size: '0' is not a whole number from 1 to 4096
          domains.a/*.adapter.method=x    | domains.a/*.adapter.method: 'x' is not one of
          """)
  void aMistakeIsRefusedWithTheKey(String set, String message) throws IOException {
    assertThatThrownBy(() -> settings(set))
        .isInstanceOf(UsageException.class)
        .hasMessageStartingWith(message.strip());
    Path file = Files.writeString(directory.resolve("f"), set + "\n");
    assertThatThrownBy(() -> Settings.of(JobSettings.ALL, file, List.of()))
        .isInstanceOf(UsageException.class)
        .hasMessageStartingWith("config file " + file + ": " + message.strip());
  }

  @Test
  void noEnvironmentVariableStandsForOne() {
    Map<String, String> environment = Map.of("MILLRACE_DOMAINS_A_BATCH_SIZE", "4");

    assertThatThrownBy(() -> Settings.of(JobSettings.ALL, List.of(), environment, List.of()))
        .isInstanceOf(UsageException.class)
        .hasMessage(
            "MILLRACE_DOMAINS_A_BATCH_SIZE: no variable can say which name is meant: set domains.*"
                + " in the file of --config, or with --set");
    assertThatCode(
            () -> Settings.of(List.of(JobSettings.BATCH_SIZE), List.of(), environment, List.of()))
        .as("a process that has none of these settings")
        .doesNotThrowAnyException();
  }

  @Test
  void ofEachSettingTheMostSpecificRuleThatHasItHolds() {
    DomainRules rules =
        rules(
            "batch.size=10",
            "publish.everySteps=20",
            "domains.*.batch.size=11",
            "domains.*.training.headLearningRate=0.5",
            "domains.a/*.batch.size=12",
            "domains.a/*.batch.timeout=2s",
            "domains.a/b/*.training.headLearningRate=0.25",
            "domains.a/b/c.batch.size=13",
            "domains.a.publish.everySteps=5");

    assertRule(rules.of("x"), 11, 0.5, 5_000, 20);
    assertRule(rules.of("a"), 11, 0.5, 5_000, 5);
    assertRule(rules.of("a/x"), 12, 0.5, 2_000, 20);
    assertRule(rules.of("a/b"), 12, 0.5, 2_000, 20);
    assertRule(rules.of("a/b/x/y"), 12, 0.25, 2_000, 20);
    assertRule(rules.of("a/b/c"), 13, 0.25, 2_000, 20);
    assertThat(rules.all()).hasSize(5);
  }

  private static void assertRule(
      DomainSettings rule, int batchSize, double headRate, long timeout, int everySteps) {
    assertThat(rule.batchSize()).isEqualTo(batchSize);
    assertThat(rule.training().headLearningRate()).isEqualTo(headRate);
    assertThat(rule.batchTimeout()).isEqualTo(Duration.ofMillis(timeout));
    assertThat(rule.publishEverySteps()).isEqualTo(everySteps);
  }

  @Test
  void aMethodOfItsOwnBringsItsDefaultsAndIsRecordedAsForTheWholeJob() {
    DomainRules rules =
        rules("domains.films.adapter.method=lora", "domains.films.lora.rank=4", "batch.size=3");

    DomainSettings films = rules.of("films");
    assertThat(films)
        .isEqualTo(rules("adapter.method=lora", "lora.rank=4", "batch.size=3").of("x"));
    assertThat(films.recorded())
        .containsEntry("adapter.method", "lora")
        .containsEntry("lora.rank", "4")
        .containsEntry("training.learningRate", "5.0E-4")
        .doesNotContainKey("svft.pattern");
    assertThat(rules.methods()).hasSize(2);
    assertThat(rules.of("x")).isEqualTo(rules("batch.size=3").of("x"));
  }

  @Test
  void whatNewDomainsStartFromCanDifferToo() {
    DomainRules rules = rules("domains.shops/*.training.initFrom=parent");

    assertThat(rules.of("shops/1").initFrom().kind()).isEqualTo(InitFrom.Kind.PARENT);
    assertThat(rules.of("shops/1").recorded()).containsEntry("training.initFrom", "parent");
    assertThat(rules.of("shops").initFrom()).isEqualTo(InitFrom.BASE);
  }

  @Test
  void soCanThePolicyThatARolloutBeginsWith() {
    EvidenceSettings evidence =
        JobSettings.evidence(
            settings("rollout.policy=canary", "domains.films.rollout.policy=manual"));

    assertThat(evidence.firstPolicies().of("films")).isEqualTo(RolloutPolicy.MANUAL);
    assertThat(evidence.firstPolicies().of("others")).isEqualTo(RolloutPolicy.CANARY);
    assertThat(rules().of("films").firstPolicy()).isEqualTo(RolloutPolicy.LATEST);
  }

  @Test
  void aRateOfTheWholeJobIsThatOfADomainWithAnotherMethodToo() {
    DomainRules rules =
        rules(
            "training.learningRate=0.01",
            "domains.a.adapter.method=lora",
            "domains.b.adapter.method=lora",
            "domains.b.training.learningRate=0");

    assertThat(rules.of("a").training().learningRate()).isEqualTo(0.01);
    assertThat(rules.of("b").training().learningRate()).isEqualTo(0.0005);
  }

  @Test
  void whatContradictsItselfIsRefusedWithTheDomainsItIsFor() {
    assertThatThrownBy(() -> rules("domains.a/*.svft.pattern=zigzag"))
        .isInstanceOf(UsageException.class)
        .hasMessageStartingWith("the settings of domains a/*: ")
        .hasMessageContaining("zigzag");
    assertThatThrownBy(() -> rules("state.retention=1h", "domains.a.batch.timeout=none"))
        .isInstanceOf(UsageException.class)
        .hasMessage(
            "the settings of domains a: state.retention=1h needs a batch.timeout that is not longer;"
                + " it is none");
  }

  /** As many rules as someone may write: one for each of many customers. */
  @Test
  void manyRulesShareWhatIsEqual() {
    String[] sets = new String[3001];
    sets[0] = "domains.c/*.batch.size=4";
    for (int i = 0; i < 3000; i++) {
      sets[i + 1] = "domains.c/" + i + ".training.beta1=0." + (i % 2 + 1);
    }

    DomainRules rules = rules(sets);

    assertThat(rules.all()).hasSize(4);
    assertThat(rules.of("c/17").training().beta1()).isEqualTo(0.2);
    assertThat(rules.of("c/17").batchSize()).isEqualTo(4);
  }

  private static Settings settings(String... sets) {
    return Settings.of(JobSettings.ALL, null, List.of(sets));
  }

  private static DomainRules rules(String... sets) {
    return JobSettings.domains(settings(sets));
  }
}
