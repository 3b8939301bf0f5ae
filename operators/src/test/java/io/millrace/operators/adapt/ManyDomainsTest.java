package io.millrace.operators.adapt;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.operators.Received;
import io.millrace.operators.adapt.AdaptSettings.Limits;
import io.millrace.operators.model.TaskDevice;
import io.millrace.schemas.ReceivedExample;
import io.millrace.schemas.RolloutPolicy;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.tensor.Kernels;
import io.millrace.svft.training.TrainingSettings;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.time.Duration;
import java.util.TreeMap;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * A stream of names without end, each of which comes once, takes a step and is never seen again:
 * {@code -Dmany.domains=N} for another number than 5,000. Metrics are on, and Kafka's time moves on
 * by a second a name.
 */
@Tag("integration")
@Timeout(1800)
class ManyDomainsTest {
  private static final int DOMAINS = Integer.getInteger("many.domains", 5_000);
  private static final int METRICS = 100;
  private static final long SECOND = 1000;

  @TempDir private Path store;

  @Test
  void neitherMetricsNorHeapNorStateGrowWithThem() throws Exception {
    try (AdaptHarness adapt = AdaptHarness.startWithMetrics(settings())) {
      receive(adapt, 0, DOMAINS / 5);
      long heapBefore = heap();
      int metricsBefore = adapt.metrics();
      receive(adapt, DOMAINS / 5, DOMAINS);

      assertThat(adapt.metrics()).isEqualTo(metricsBefore).isBetween(8 * METRICS, 8 * METRICS + 50);
      assertThat(heap() - heapBefore)
          .as("bytes of heap for %d names more", DOMAINS - DOMAINS / 5)
          .isLessThan(Math.max(8L << 20, 200L * DOMAINS));
      assertThat(adapt.state("name-0")).as("dropped").isNull();
    }
  }

  private static void receive(AdaptHarness adapt, int from, int to) throws Exception {
    for (int i = from; i < to; i++) {
      ReceivedExample example = Received.example("name-" + i, 0, i, i * SECOND);
      adapt.receive(example);
      adapt.clock(i * SECOND);
      adapt.forgetOutput();
    }
  }

  /** A tiny model, a step for each example, a retention of a minute. */
  private AdaptSettings settings() {
    return new AdaptSettings(
        new DomainRules(
            new DomainSettings(
                TrainingSettings.defaults(AdapterMethod.parse("svft:plain")),
                1,
                Duration.ofSeconds(5),
                10,
                0,
                new TreeMap<>(),
                InitFrom.BASE,
                RolloutPolicy.LATEST)),
        store.toString(),
        Path.of("../svft/src/test/resources/models/roberta").toAbsolutePath().toString(),
        new TaskDevice("cpu", Kernels.FAST),
        1,
        "",
        new Limits(4000, 64L << 20, 64L << 20, METRICS, Duration.ofMinutes(1)),
        AdaptSettings.Groups.NONE,
        0);
  }

  private static long heap() {
    System.gc();
    return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
  }
}
