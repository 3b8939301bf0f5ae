package io.millrace.benchmarks.engine;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class EngineRatesTest {
  private final EngineRates rates = new EngineRates();

  @Test
  void aStepIsSetAgainstTheBoundOfAsManyThreads() {
    rates.bound("sameProduct", 1, 180e9);
    rates.bound("sameProduct", 2, 360e9);
    rates.step("svft:plain", "step", 2, 201.6, 3427, 252e9);

    assertThat(rates.tables().get("Training step with 2 threads").lines())
        .containsExactly(
            "| formulation | tokens/s | GFLOP/s | of sameProduct |",
            "|---|---:|---:|---:|",
            "| svft:plain | 3,427 | 252 | 0.70 |");
  }

  @Test
  void examplesPerSecondStandInOneTable() {
    rates.step("svft:plain", "forward", 1, 512.4, 1, 1);
    rates.step("svft:plain", "step", 1, 98.76, 1, 1);
    rates.step("lora:8", "step", 1, 120, 1, 1);

    assertThat(rates.tables().get("Training step, examples/s").lines())
        .containsExactly(
            "| formulation | forward, 1 thread | step, 1 thread |",
            "|---|---:|---:|",
            "| svft:plain | 512 | 98.8 |",
            "| lora:8 | | 120 |");
  }

  @Test
  void whatDidNotRunHasNoTable() {
    rates.swap("lora:8", "merge", 1234.5);

    assertThat(rates.tables()).containsOnlyKeys("Swap, µs");
  }
}
