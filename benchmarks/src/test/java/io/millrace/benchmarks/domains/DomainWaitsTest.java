package io.millrace.benchmarks.domains;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class DomainWaitsTest {
  @Test
  void rareDomainsAreSetBesideThoseInTheMiddle() {
    List<DomainWaits.Batch> batches = new ArrayList<>();
    for (int i = 0; i < 300; i++) {
      batches.add(new DomainWaits.Batch(i % 50, 40));
    }
    for (int i = 0; i < 100; i++) {
      batches.add(new DomainWaits.Batch(50 + i % 50, i < 98 ? 50 : 100));
    }
    DomainWaits waits = new DomainWaits(100, batches);

    assertThat(waits.toTheMiddle()).isEqualTo(2);
    assertThat(waits.toTheMedian()).isEqualTo(2.5);
    assertThat(waits.toString())
        .isEqualTo(
            """
            | domains | batches | p50, ms | p99, ms | max, ms |
            |---|---:|---:|---:|---:|
            | all | 400 | 40 | 50 | 100 |
            | the tenth that comes most often | 60 | 40 | 40 | 40 |
            | the tenth in the middle | 40 | 40 | 50 | 50 |
            | the half that comes more rarely | 100 | 50 | 100 | 100 |
            | the tenth that comes most rarely | 20 | 50 | 100 | 100 |
            """);
  }
}
