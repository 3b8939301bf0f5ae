package io.millrace.svft.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("unit")
class ProcessorTest {
  @Test
  void onX86ItIsVendorFamilyModelAndName() {
    List<String> cpuinfo =
        """
        processor\t: 0
        vendor_id\t: AuthenticAMD
        cpu family\t: 25
        model\t\t: 17
        model name\t: AMD EPYC 9354
        stepping\t: 1
        flags\t\t: fpu sse sse4_2 sse4_1 smep smap avx2 avx fma bmi2 f16c avx512f amx_bf16 rdrand
        bogomips\t: 6500.00

        processor\t: 1
        model name\t: another
        """
            .lines()
            .toList();

    Processor processor = Processor.of(cpuinfo);

    assertThat(processor.model()).isEqualTo("AuthenticAMD 25 17 AMD EPYC 9354");
    assertThat(processor.features())
        .isEqualTo("amx_bf16 avx avx2 avx512f bmi2 f16c fma sse4_1 sse4_2");
  }

  @Test
  void onArmItIsImplementerAndPart() {
    List<String> cpuinfo =
        """
        processor\t: 0
        Features\t: fp asimd aes sha2 asimdhp asimddp sve i8mm bf16 sve2 sme
        CPU implementer\t: 0x41
        CPU part\t: 0xd4f
        """
            .lines()
            .toList();

    Processor processor = Processor.of(cpuinfo);

    assertThat(processor.model()).isEqualTo("0x41 0xd4f");
    assertThat(processor.features()).isEqualTo("asimd asimddp asimdhp bf16 fp i8mm sme sve sve2");
  }

  @Test
  void whereNothingTellsItIsEmpty() {
    assertThat(Processor.of(List.of())).isEqualTo(new Processor("", ""));
  }
}
