package io.millrace.pipeline.report;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.schemas.TrainingStep;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class AccuracyByPartTest {
  private static final int PARTS = 3;

  /** Domains of 1 to 40 steps of 1 to 5 examples, mixed. */
  @Test
  void givesWhatTheWholeStreamInMemoryGives() {
    Random random = new Random(7);
    Map<String, List<Boolean>> correct = new TreeMap<>();
    Map<String, DomainRecord> domains = new TreeMap<>();
    List<TrainingStep> steps = new ArrayList<>();
    for (int number = 1; number <= 40; number++) {
      for (int domain = number; domain <= 40; domain++) {
        List<Boolean> each =
            random.ints(1 + random.nextInt(5), 0, 40).mapToObj(i -> i < number(correct)).toList();
        TrainingStep step = RunTotalsTest.step("d" + domain, number);
        step.setCorrect(each);
        steps.add(step);
        domains.computeIfAbsent(step.getDomain(), name -> new DomainRecord()).add(step);
        correct.computeIfAbsent(step.getDomain(), name -> new ArrayList<>()).addAll(each);
      }
    }

    AccuracyByPart byPart = new AccuracyByPart(domains, PARTS);
    steps.forEach(byPart::add);

    List<boolean[]> streams = correct.values().stream().map(AccuracyByPartTest::array).toList();
    for (int part = 0; part < PARTS; part++) {
      assertThat(byPart.of(part)).isEqualTo(PrequentialAccuracy.of(streams, part, PARTS));
    }
    assertThat(byPart.of(0)).isNotEqualTo(byPart.of(1));
  }

  /** Another job may go on while this one is told about. */
  @Test
  void stepsThatWereNotCountedAreIgnored() {
    Map<String, DomainRecord> domains = new TreeMap<>(Map.of("a", new DomainRecord()));
    domains.get("a").add(RunTotalsTest.step("a", 1));

    AccuracyByPart byPart = new AccuracyByPart(domains, PARTS);
    byPart.add(RunTotalsTest.step("a", 1));
    byPart.add(RunTotalsTest.step("a", 2));
    byPart.add(RunTotalsTest.step("b", 1));

    // The one step's three examples are right, wrong and wrong.
    assertThat(List.of(byPart.of(0), byPart.of(1), byPart.of(2))).containsExactly(1.0, 0.0, 0.0);
  }

  /** Accuracy that changes over the stream. */
  private static int number(Map<String, List<Boolean>> correct) {
    return correct.getOrDefault("d40", List.of()).size() % 40;
  }

  private static boolean[] array(List<Boolean> list) {
    boolean[] array = new boolean[list.size()];
    for (int i = 0; i < array.length; i++) {
      array[i] = list.get(i);
    }
    return array;
  }
}
