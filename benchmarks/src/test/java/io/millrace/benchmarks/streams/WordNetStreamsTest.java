package io.millrace.benchmarks.streams;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.stream.Collectors.counting;
import static java.util.stream.Collectors.groupingBy;
import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.pipeline.demo.WordNet;
import io.millrace.schemas.LabeledExample;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@Tag("unit")
class WordNetStreamsTest {
  private static Map<String, String> classes;
  private static Map<String, List<LabeledExample>> streams;

  @BeforeAll
  static void make() throws Exception {
    WordNet wordNet = WordNet.load();
    classes =
        wordNet.definitions(Integer.MAX_VALUE).stream()
            .collect(Collectors.toMap(LabeledExample::getId, LabeledExample::getLabel));
    streams = WordNetStreams.all(wordNet);
  }

  @ParameterizedTest
  @CsvSource({
    "wordnet-turn, 31eaf5a86f224dca7a563a0997b6ce52f7fb41b030eb870cb595c6b467ef821f",
    "wordnet-shifts, c781a3d3e7c66d8d2a6e3a1341b29877c29387295aff06a96f394d5ad176e40e",
    "wordnet-binary, 65a50e34840fcb5d3b3e868005637f4d20a32cfc79f2bef80af1e48fbf85f381",
    "wordnet-recurring, 3e90cf5d88bbddd7aab7f20b194fe9356bc4d55e0ab3539423947385d4bd2221",
    "wordnet-noisy, ea6cc13fcee06a10602586a5d6825420022d2de78718ebf18bca3ee52ce15a6d",
    "wordnet-imbalanced, 8b13c2f2970be24263b604d2f958d27581f665b5c1189a93a4260ce3cbb5cf67",
    "wordnet-long, c3fec534d26fd6ca126685babdfe7f068d91be0e18d7a056f347996433bc0c40"
  })
  void theFirstHundredLinesAreAlwaysTheSame(String stream, String sha256) throws Exception {
    byte[] lines = JsonLines.of(streams.get(stream).subList(0, 100)).getBytes(UTF_8);

    byte[] digest = MessageDigest.getInstance("SHA-256").digest(lines);

    assertThat(HexFormat.of().formatHex(digest)).isEqualTo(sha256);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "wordnet-turn",
        "wordnet-shifts",
        "wordnet-binary",
        "wordnet-recurring",
        "wordnet-noisy",
        "wordnet-imbalanced",
        "wordnet-long"
      })
  void aStreamIsOneDomainAndRepeatsNothing(String stream) {
    assertThat(streams.get(stream)).extracting(LabeledExample::getDomain).containsOnly(stream);
    assertThat(streams.get(stream)).extracting(LabeledExample::getId).doesNotHaveDuplicates();
  }

  @Test
  void theTurnGoesFromDefinitionsToUsageExamples() {
    List<LabeledExample> turn = streams.get("wordnet-turn");

    assertThat(turn).hasSize(10_000);
    assertThat(turn.subList(0, 6_000)).allMatch(example -> kind(example).equals("definition"));
    assertThat(turn.subList(6_000, 10_000)).allMatch(example -> kind(example).equals("usage"));
    assertThat(labels(turn)).hasSize(26);
  }

  @Test
  void everyShiftComesAfter1500Examples() {
    List<LabeledExample> shifts = streams.get("wordnet-shifts");

    assertThat(shifts).hasSize(10_500);
    for (int i = 0; i < shifts.size(); i++) {
      assertThat(part(shifts.get(i))).isEqualTo(part(shifts.get(i / 1_500 * 1_500)));
    }
    assertThat(shifts.stream().map(WordNetStreamsTest::part).distinct())
        .containsExactly(
            "nature", "people", "people-usages", "all", "swapped", "all-usages", "nature-again");
  }

  @Test
  void theSecondPartHasOnlyNewLabels() {
    assertThat(labels(part("people"))).doesNotContainAnyElementsOf(labels(part("nature")));
    assertThat(labels(part("people-usages"))).isEqualTo(labels(part("people")));
    assertThat(labels(part("nature-again"))).isEqualTo(labels(part("nature")));
  }

  @Test
  void everyPartHasItsClassesInWordNetsProportions() {
    Map<String, Long> nature = counts(part("nature"));
    Map<String, Long> again = counts(part("nature-again"));
    Map<String, Long> all = counts(part("all"));

    nature.forEach((label, count) -> assertThat(again.get(label)).isBetween(count / 2, count * 2));
    // WordNet's 7,510 animals and 11,073 persons of 82,192.
    assertThat(all.get("animal")).isBetween(100L, 180L);
    assertThat(all.get("person")).isBetween(150L, 260L);
  }

  @Test
  void swappedLabelsTradePlacesAndAllOthersAreRight() {
    Map<String, String> given =
        part("swapped").stream()
            .collect(
                Collectors.toMap(
                    example -> classes.get(example.getId()),
                    LabeledExample::getLabel,
                    (one, other) -> {
                      assertThat(other).isEqualTo(one);
                      return one;
                    }));

    assertThat(given).hasSize(10);
    given.forEach(
        (from, to) -> {
          assertThat(to).isNotEqualTo(from);
          assertThat(given.get(to)).isEqualTo(from);
        });
    for (String part : List.of("nature", "people", "all", "nature-again")) {
      assertThat(part(part))
          .allMatch(example -> example.getLabel().equals(classes.get(example.getId())));
    }
  }

  @Test
  void theTwoCoarseClassesAreBalancedAndMixed() {
    Map<String, Long> whole = counts(streams.get("wordnet-binary"));
    Map<String, Long> start = counts(streams.get("wordnet-binary").subList(0, 300));

    assertThat(whole).isEqualTo(Map.of("concrete", 1_500L, "abstract", 1_500L));
    assertThat(start.values()).allMatch(count -> count > 100);
  }

  @Test
  void threePartsTakeTurnsAndComeBackWithOtherExamples() {
    List<LabeledExample> recurring = streams.get("wordnet-recurring");

    assertThat(recurring).hasSize(6_300);
    for (int i = 0; i < recurring.size(); i++) {
      String expected = List.of("nature", "people", "swapped").get(i / 700 % 3);
      assertThat(part(recurring.get(i))).isEqualTo(expected);
      boolean right = recurring.get(i).getLabel().equals(classes.get(recurring.get(i).getId()));
      assertThat(right).isEqualTo(!expected.equals("swapped"));
    }
    assertThat(labels(recurring.subList(0, 700)))
        .isEqualTo(labels(recurring.subList(2_100, 2_800)))
        .doesNotContainAnyElementsOf(labels(recurring.subList(700, 1_400)));
  }

  @Test
  void aFifthOfTheNoisyLabelsIsWrongAndTheRightOneIsOnTheLine() {
    List<LabeledExample> noisy = streams.get("wordnet-noisy");

    assertThat(noisy)
        .hasSize(4_000)
        .allMatch(each -> each.getMetadata().get("class").equals(classes.get(each.getId())));
    assertThat(noisy.stream().filter(each -> !each.getLabel().equals(classes.get(each.getId()))))
        .hasSizeBetween(740, 860);
  }

  @Test
  void eachImbalancedClassIsHalfAsFrequentAsTheOneBefore() {
    Map<String, Long> whole = counts(streams.get("wordnet-imbalanced"));

    assertThat(whole.values())
        .containsExactlyInAnyOrder(2_048L, 1_024L, 512L, 256L, 128L, 64L, 32L, 16L, 8L, 4L);
    assertThat(counts(streams.get("wordnet-imbalanced").subList(0, 400)).get("person"))
        .isBetween(150L, 250L);
  }

  @Test
  void everyLongTextIsCutOffAt128Tokens() {
    List<LabeledExample> texts = streams.get("wordnet-long");

    assertThat(texts)
        .hasSize(1_600)
        .allMatch(example -> example.getText().split("\\s+").length >= 128)
        .allMatch(example -> example.getLabel().equals(classes.get(example.getId())));
    assertThat(labels(texts)).hasSizeGreaterThan(20);
  }

  private static Map<String, Long> counts(List<LabeledExample> examples) {
    return examples.stream()
        .map(LabeledExample::getLabel)
        .collect(groupingBy(Function.identity(), counting()));
  }

  private static List<LabeledExample> part(String name) {
    return streams.get("wordnet-shifts").stream()
        .filter(example -> part(example).equals(name))
        .toList();
  }

  private static String part(LabeledExample example) {
    return example.getMetadata().get("part");
  }

  private static String kind(LabeledExample example) {
    return example.getMetadata().get("kind");
  }

  private static List<String> labels(List<LabeledExample> examples) {
    return examples.stream().map(LabeledExample::getLabel).distinct().sorted().toList();
  }
}
