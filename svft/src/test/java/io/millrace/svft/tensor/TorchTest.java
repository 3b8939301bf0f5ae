package io.millrace.svft.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Tag("unit")
class TorchTest {
  @Test
  void cpuIsTheCpu() {
    assertThat(Torch.device("cpu")).isEqualTo(Device.cpu());
  }

  @Test
  void aGpuThatIsNotThereIsRefusedWithTheNumberThereIs() {
    assertThatThrownBy(() -> Torch.device("gpu:1000"))
        .isInstanceOf(DeviceException.class)
        .hasMessageMatching("device gpu:1000 is asked for, but PyTorch sees \\d+ GPUs here");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "CPU", "cuda", "gpu:", "gpu:one", "gpu:-1", "tpu:0"})
  void aNameThatIsNoDeviceIsRefusedWithThoseThatAre(String setting) {
    assertThatThrownBy(() -> Torch.device(setting))
        .isInstanceOf(DeviceException.class)
        .hasMessageContaining("auto, cpu, gpu or gpu:N");
  }
}
