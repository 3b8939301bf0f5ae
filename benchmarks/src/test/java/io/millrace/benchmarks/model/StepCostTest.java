package io.millrace.benchmarks.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.Architecture;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.model.Pooling;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Tag("unit")
class StepCostTest {
  /** One layer, hidden 2, intermediate 5: four weights 2 × 2, one 5 × 2, one 2 × 5. */
  private static final EncoderConfig TINY =
      new EncoderConfig(Architecture.BERT, Pooling.MEAN, 1, 2, 1, 5, 10, 8, 0, 2, 1e-12f);

  /**
   * By hand, in multiplications. Products [in, n] and [n, out]: 4 · 8 + 2 · 14 = 60; weights: 4 · 4
   * + 2 · 10 = 36; LoRA of rank 1: 4 · 4 + 2 · 7 = 30 on both sides together.
   */
  @ParameterizedTest
  @CsvSource({
    // Back: all of the 60 but the last product, 4, of query, key and value.
    "svft:plain, 60, 48",
    "svft:banded:1, 60, 48",
    // Back: dx by W but of query, key and value, 36 - 12; B twice and A once, 2 · 15 + 15; dx by A
    // but of query, key and value, 15 - 6.
    "lora:1, 66, 78",
    "full, 36, 60",
    "head, 36, 0"
  })
  void countsTwoOperationsPerMultiplication(String method, long forward, long backward) {
    AdapterMethod parsed = AdapterMethod.parse(method);

    assertThat(StepCost.forward(TINY, parsed)).isEqualTo(2 * forward);
    assertThat(StepCost.backward(TINY, parsed)).isEqualTo(2 * backward);
  }
}
