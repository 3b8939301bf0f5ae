package io.millrace.pipeline.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.BatchClosedBy;
import io.millrace.schemas.StreamPosition;
import io.millrace.schemas.TrainingStep;
import java.lang.reflect.Array;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class RunTotalsTest {
  private static final Instant START = Instant.parse("2026-01-01T00:00:00Z");

  @Test
  void keepsNothingOfStepsAndVersions() {
    RunTotals totals = new RunTotals();
    feed(totals, "reviews", 1, 100);
    long before = reachable(totals);

    feed(totals, "reviews", 101, 2_000);

    assertThat(reachable(totals)).isEqualTo(before);
    assertThat(totals.domains().get("reviews").steps()).isEqualTo(2_000);
    assertThat(totals.domains().get("reviews").versions()).isEqualTo(2_000);
  }

  /** Its name, the bytes of the name, the counts, and the entry of the map. */
  @Test
  void keepsFourObjectsOfADomain() {
    RunTotals totals = new RunTotals();
    feed(totals, "domain-0000", 1, 3);
    long before = reachable(totals);

    for (int i = 1; i <= 1_000; i++) {
      feed(totals, "domain-%04d".formatted(i), 1, 3);
    }

    assertThat(reachable(totals) - before).isEqualTo(1_000 * (4 + "domain-0000".length()));
  }

  @Test
  void givesTheSumsAndLastValuesOfAllSteps() {
    RunTotals totals = new RunTotals();
    feed(totals, "b", 1, 4);
    feed(totals, "a", 1, 2);
    totals.addDeadLetter("UNREADABLE");

    RunReport report = RunReport.of(totals, List.of(0.1, 0.2, 0.3), 7, 8);

    assertThat(report.examples()).isEqualTo(18);
    assertThat(report.deadLettersByClass()).containsExactly(Map.entry("UNREADABLE", 1L));
    assertThat(report.steps()).isEqualTo(6);
    assertThat(report.versions()).isEqualTo(6);
    assertThat(report.trainableParameters()).isEqualTo(4);
    assertThat(report.prequentialAccuracy()).isEqualTo(9 / 18.0);
    assertThat(report.meanLoss()).isEqualTo(3 * (1 + 2 + 3 + 4 + 1 + 2) / 18.0);
    // The first step of a and of b end at the same time: 3 of 18 examples are before the first end.
    assertThat(report.examplesPerSecond()).isEqualTo(15 / 3.0);
    assertThat(report.domains().keySet()).containsExactly("a", "b");
    assertThat(report.domains().get("b"))
        .isEqualTo(new RunReport.Domain(12, 4, 4, 4, sha256(4), 0.5));
  }

  @Test
  void refusesWhatIsMissingOrComesTwice() {
    RunTotals totals = new RunTotals();
    feed(totals, "a", 1, 2);

    assertThatThrownBy(() -> totals.add(step("a", 2)))
        .hasMessage("domain a: step 2 follows where 3 should");
    assertThatThrownBy(() -> totals.add(version("a", 4)))
        .hasMessage("domain a: version 4 follows where 3 should");
    AdapterVersion stray = version("a", 3);
    stray.setParentSha256(sha256(9));
    assertThatThrownBy(() -> totals.add(stray))
        .hasMessage(
            "domain a: version 3 names the parent %s, the version before is %s"
                .formatted(sha256(9), sha256(2)));
  }

  @Test
  void saysOfTheFirstDomainsWhichLabelsAreSimilar() {
    RunTotals totals = new RunTotals();
    for (int i = 30; i > 0; i--) {
      AdapterVersion version = version("domain-%02d".formatted(i), 1);
      version.setLabels(List.of("pos", "neg", "Pos"));
      totals.add(version);
    }

    assertThat(totals.similarLabels()).hasSize(10);
    assertThat(totals.similarLabels().get(9)).startsWith("domain domain-10: \"pos\" and \"Pos\"");
  }

  private static void feed(RunTotals totals, String domain, int from, int to) {
    for (int i = from; i <= to; i++) {
      totals.add(step(domain, i));
      totals.add(version(domain, i));
    }
  }

  static TrainingStep step(String domain, int number) {
    return TrainingStep.newBuilder()
        .setDomain(domain)
        .setStep(number)
        .setClosedBy(BatchClosedBy.COUNT)
        .setBatch(List.of())
        .setCorrect(List.of(true, number % 2 == 0, false))
        .setLoss(number)
        .setStateSha256(sha256(number))
        .setStepMillis(20 + number % 10)
        .setFinishedAt(START.plusSeconds(number))
        .build();
  }

  private static AdapterVersion version(String domain, int number) {
    return AdapterVersion.newBuilder()
        .setDomain(domain)
        .setVersion(number)
        .setSha256(sha256(number))
        .setParentSha256(number == 1 ? "" : sha256(number - 1))
        .setBaseModel("base")
        .setBaseSha256("")
        .setBasisSha256("")
        .setMethod("svft")
        .setPattern("plain")
        .setSteps(number)
        .setExamples(3L * number)
        .setLabels(List.of("positive", "negative"))
        .setTrainedThrough(List.of(new StreamPosition(0, 4L * number)))
        .setTrainableParameters(number)
        .setPayload(ByteBuffer.allocate(100))
        .setCreatedAt(START)
        .build();
  }

  private static String sha256(int number) {
    return "%064x".formatted(number + (1L << 40));
  }

  /** Objects that can be reached, and the elements of arrays of primitive values among them. */
  private static long reachable(Object root) {
    Set<Object> seen = Collections.newSetFromMap(new IdentityHashMap<>());
    Deque<Object> open = new ArrayDeque<>(List.of(root));
    long elements = 0;
    while (!open.isEmpty()) {
      Object each = open.pop();
      if (each instanceof Class || each instanceof Enum || !seen.add(each)) {
        continue;
      }
      if (each.getClass().isArray()) {
        int length = Array.getLength(each);
        boolean objects = !each.getClass().getComponentType().isPrimitive();
        elements += objects ? 0 : length;
        IntStream.range(0, objects ? length : 0)
            .mapToObj(i -> Array.get(each, i))
            .filter(element -> element != null)
            .forEach(open::push);
      } else {
        values(each).forEach(open::push);
      }
    }
    return seen.size() + elements;
  }

  private static List<Object> values(Object object) {
    List<Object> values = new ArrayList<>();
    for (Class<?> type = object.getClass(); type != null; type = type.getSuperclass()) {
      for (Field field : type.getDeclaredFields()) {
        if (!Modifier.isStatic(field.getModifiers()) && !field.getType().isPrimitive()) {
          field.setAccessible(true);
          try {
            Object value = field.get(object);
            if (value != null) {
              values.add(value);
            }
          } catch (IllegalAccessException e) {
            throw new AssertionError(e);
          }
        }
      }
    }
    return values;
  }
}
