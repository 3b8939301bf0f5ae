package io.millrace.benchmarks.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class MatrixProductRatesTest {
  private final MatrixProductRates rates = new MatrixProductRates();

  @Test
  void aProductCountsTwoOperationsForEachOfItsMultiplications() {
    // 2 * 1000 * 500 * 100 = 10^8 operations, 250 times a second.
    rates.add("1000x500x100", "oneThread", 250);

    assertThat(rates.toString()).contains("| 1000x500x100 | 25 |");
  }

  @Test
  void whatWasNotMeasuredIsAnEmptyCell() {
    rates.add("1000x1000x500", "oneThread", 20);
    rates.add("1000x1000x500", "twoThreads", 40);
    rates.add("1000x1000x1000", "twoThreads", 15);

    assertThat(rates.toString().lines())
        .containsExactly(
            "| tokens x in x out | oneThread | twoThreads |",
            "|---|---:|---:|",
            "| 1000x1000x500 | 20 | 40 |",
            "| 1000x1000x1000 | | 30 |");
  }

  @Test
  void aShapeOfTwoSizesIsRefused() {
    assertThatThrownBy(() -> rates.add("120x384", "oneThread", 1))
        .hasMessage("shape \"120x384\" is not TOKENSxINxOUT, such as 120x384x1536");
  }
}
