package io.millrace.benchmarks.recording;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class RecordingCostTest {
  private final RecordingCost cost = new RecordingCost();

  @Test
  void whatIsAddedIsAShareOfTheStepWithoutIt() {
    cost.put("record", 1.5);
    cost.put("recordedStep", 82);
    cost.put("stateHash", 0.8);
    cost.put("step", 80);

    assertThat(cost.toString().lines())
        .containsExactly(
            "|  | ms a step | added to a step |",
            "|---|---:|---:|",
            "| step | 80.0 | |",
            "| recordedStep | 82.0 | 2.50 % |",
            "| record | 1.500 | 1.88 % |",
            "| stateHash | 0.800 | 1.00 % |");
  }

  @Test
  void withoutTheStepThereIsNoShare() {
    cost.put("record", 1.5);

    assertThat(cost.toString()).endsWith("| record | 1.500 |\n").doesNotContain("%");
  }
}
