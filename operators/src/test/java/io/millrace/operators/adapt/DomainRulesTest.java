package io.millrace.operators.adapt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.schemas.RolloutPolicy;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.training.TrainingSettings;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Which rule a domain has. A rule's batch size tells which one it is. */
@Tag("unit")
class DomainRulesTest {
  private static final DomainRules RULES =
      rules(Map.of("a/*", 2, "a/b/*", 3, "a", 4, "a/b/c", 5, "x.y/*", 6, "/top", 7));

  @ParameterizedTest
  @CsvSource({
    "a, 4",
    "a/z, 2",
    "a/b, 2",
    "a/b/d, 3",
    "a/b/d/e/f, 3",
    "a/b/c, 5",
    "a/b/c/d, 3",
    "a/, 2",
    "a//b, 2",
    "ab, 1",
    "ab/c, 1",
    "b/a/z, 1",
    "x.y/z, 6",
    "x.y, 1",
    "/top, 7",
    "/, 1"
  })
  void theMostSpecificRuleHolds(String domain, int rule) {
    assertThat(RULES.of(domain).batchSize()).isEqualTo(rule);
  }

  @Test
  void aRuleForAllHoldsWhereNoOtherIsFor() {
    DomainRules rules = rules(Map.of("*", 2, "a/*", 3));

    assertThat(rules.of("a/b").batchSize()).isEqualTo(3);
    assertThat(rules.of("b").batchSize()).isEqualTo(2);
    assertThat(rules.others().batchSize()).isEqualTo(2);
  }

  @Test
  void domainsWithEqualSettingsShareThemAlsoOnATaskManager() throws Exception {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
      out.writeObject(rules(Map.of("a/*", 2, "b", 2, "c", 1)));
    }
    DomainRules rules;
    try (ObjectInputStream in =
        new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
      rules = (DomainRules) in.readObject();
    }

    assertThat(rules.of("a/x")).isSameAs(rules.of("b"));
    assertThat(rules.of("c")).isSameAs(rules.of("d"));
    assertThat(rules.all()).hasSize(2);
    assertThat(rules.all()).allMatch(one -> one == rules.of("b") || one == rules.of("c"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", " ", "a*", "*/a", "a/*/b", "/*", "a//*", "**", "a/**", "a/*/*"})
  void whatIsNoPatternIsRefused(String text) {
    assertThatThrownBy(() -> new DomainPattern(text))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "'%s' names no domains: write a domain's name, PREFIX/* for all below a prefix, or *",
            text);
  }

  @Test
  void patternsStandAfterThoseThatCoverThem() {
    List<String> inOrder = List.of("*", "a/*", "b/*", "a/b/*", "a", "a/b", "a/b/c");
    List<DomainPattern> patterns = inOrder.stream().map(DomainPattern::new).sorted().toList();

    assertThat(patterns).extracting(DomainPattern::text).containsExactlyElementsOf(inOrder);
    assertThat(coveredBy("a/*")).containsExactly("a/*", "a/b/*", "a/b", "a/b/c");
    assertThat(coveredBy("*")).containsExactlyElementsOf(inOrder);
    assertThat(coveredBy("a/b")).containsExactly("a/b");
  }

  private static Stream<String> coveredBy(String pattern) {
    return Stream.of("*", "a/*", "b/*", "a/b/*", "a", "a/b", "a/b/c")
        .filter(other -> new DomainPattern(pattern).covers(new DomainPattern(other)));
  }

  private static DomainRules rules(Map<String, Integer> batchSizes) {
    Map<DomainPattern, DomainSettings> rules = new HashMap<>();
    batchSizes.forEach((pattern, size) -> rules.put(new DomainPattern(pattern), settings(size)));
    return new DomainRules(settings(1), rules);
  }

  private static DomainSettings settings(int batchSize) {
    TrainingSettings training = TrainingSettings.defaults(AdapterMethod.parse("svft:plain"));
    return new DomainSettings(
        training,
        batchSize,
        Duration.ZERO,
        10,
        10,
        new TreeMap<>(),
        InitFrom.BASE,
        RolloutPolicy.LATEST);
  }
}
