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
}
