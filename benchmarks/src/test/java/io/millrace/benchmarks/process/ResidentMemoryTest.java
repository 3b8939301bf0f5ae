package io.millrace.benchmarks.process;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class ResidentMemoryTest {
  @Test
  void itIsReadFromTheStatus() throws Exception {
    assertThat(ResidentMemory.bytes("VmHWM:\t  9999 kB\nVmRSS:\t  1024 kB\nRssAnon:\t  7 kB\n"))
        .isEqualTo(1 << 20);
    assertThatThrownBy(() -> ResidentMemory.bytes("Name:\tjava\n")).isInstanceOf(IOException.class);
  }

  @Test
  void thisProcessHasSome() throws Exception {
    assertThat(ResidentMemory.bytes(ProcessHandle.current())).isGreaterThan(10 << 20);
  }
}
