package io.millrace.benchmarks.process;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class JavaHeapTest {
  @Test
  void addsWhatIsUsedOfTheGenerations() {
    assertThat(
            JavaHeap.used(
                """
                4711:
                 def new generation   total 78656K, used 1500K [0x0, 0x1, 0x2)
                  eden space 69952K,   2% used [0x0, 0x1, 0x2)
                 tenured generation   total 174784K, used 98500K [0x0, 0x1, 0x2)
                   the space 174784K,  56% used [0x0, 0x1, 0x2)
                 Metaspace       used 40000K, committed 41000K, reserved 1114112K
                """))
        .isEqualTo(100_000 * 1024);
  }

  @Test
  void readsTheHeapOfARunningProcess() throws Exception {
    assertThat(JavaHeap.usedBytes(ProcessHandle.current())).isBetween(1L << 20, 1L << 32);
  }
}
