package io.millrace.benchmarks.domains;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.pipeline.demo.WordNet;
import io.millrace.schemas.LabeledExample;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class DealtExamplesTest {
  @Test
  void theTextsAndTheirOrderStayWhateverTheDomains() throws Exception {
    List<LabeledExample> texts = WordNet.load().definitions(2_000);

    List<LabeledExample> one = DealtExamples.toOne(texts);
    List<LabeledExample> dealt = DealtExamples.byHash(texts, 100);

    assertThat(one).extracting(LabeledExample::getDomain).containsOnly("domain-000000");
    assertThat(dealt).hasSize(2_000);
    for (int i = 0; i < dealt.size(); i++) {
      assertThat(dealt.get(i).getText()).isEqualTo(one.get(i).getText());
      assertThat(dealt.get(i).getLabel()).isEqualTo(one.get(i).getLabel());
    }
  }

  @Test
  void aTextComesToTheSameDomainAlwaysAndEveryDomainHasSome() throws Exception {
    List<LabeledExample> dealt = DealtExamples.byHash(WordNet.load().definitions(2_000), 100);

    Map<String, Long> counts =
        dealt.stream()
            .collect(Collectors.groupingBy(LabeledExample::getDomain, Collectors.counting()));
    assertThat(counts).hasSize(100);
    assertThat(counts.values()).allSatisfy(count -> assertThat(count).isBetween(5L, 40L));
    assertThat(DealtExamples.byHash(List.of(dealt.get(7)), 100).get(0).getDomain())
        .isEqualTo(dealt.get(7).getDomain());
  }

  @Test
  void inTurnADomainComesAgainAfterAllOthers() throws Exception {
    List<LabeledExample> dealt = DealtExamples.inTurn(WordNet.load().definitions(30), 100, 50);

    assertThat(dealt.subList(0, 50)).extracting(LabeledExample::getDomain).doesNotHaveDuplicates();
    assertThat(dealt.subList(50, 100))
        .extracting(LabeledExample::getDomain)
        .containsExactlyElementsOf(
            dealt.subList(0, 50).stream().map(LabeledExample::getDomain).toList());
    assertThat(dealt).extracting(LabeledExample::getId).doesNotHaveDuplicates();
  }

  @Test
  void byZipfTheFirstDomainComesAsManyTimesAsOftenAsTheLastAsTheSkewSays() throws Exception {
    Map<Integer, Long> counts =
        DealtExamples.byZipf(WordNet.load().definitions(100), 200_000, 10, 100).stream()
            .collect(
                Collectors.groupingBy(
                    example -> DealtExamples.number(example.getDomain()), Collectors.counting()));

    assertThat(counts).hasSize(10);
    assertThat((double) counts.get(0) / counts.get(9)).isBetween(90.0, 110.0);
    assertThat((double) counts.get(0) / counts.get(4)).isBetween(23.0, 27.0);
  }
}
