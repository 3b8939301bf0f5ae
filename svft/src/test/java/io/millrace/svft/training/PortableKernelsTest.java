package io.millrace.svft.training;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.svft.ChildJvm;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Portable kernels give the bits below on every x86-64 processor that has AVX2: on the one that
 * runs this test, and on it restricted to fewer instructions. Each process trains four steps of two
 * layers of MiniLM with each method.
 */
@Tag("integration")
class PortableKernelsTest {
  private static final String[] MINILM = {
    "minilm", "svft:plain", "svft:banded:1", "svft:gradient:1", "lora:8"
  };

  /** The state after the last step of each method, its first 16 digits. */
  private static final List<String> STATES =
      List.of("c6bcc81c6df3452a", "c990a887ddc452eb", "13cde18faf6241cc", "63923b7c567b5bfb");

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 4})
  void theStatesAreThoseOfEveryProcessorForAnyNumberOfThreads(int threads) throws Exception {
    assertThat(states(Map.of(), "", threads)).isEqualTo(STATES);
  }

  /** MKL takes no notice of some of these on a processor of another maker than Intel. */
  @ParameterizedTest
  @ValueSource(strings = {"MKL_CBWR=AVX2", "MKL_ENABLE_INSTRUCTIONS=AVX2", "MKL_CBWR=AVX512"})
  void noInstructionSetThatMklMayChooseReachesTheStates(String variable) throws Exception {
    assertThat(states(Map.of(), variable, 2)).isEqualTo(STATES);
  }

  @Test
  void variablesThatChooseOtherKernelsHaveNoEffect() throws Exception {
    Map<String, String> variables =
        Map.of(
            "ATEN_CPU_CAPABILITY", "default",
            "ONEDNN_MAX_CPU_ISA", "SSE41",
            "MKL_CBWR", "COMPATIBLE");

    assertThat(states(variables, "", 2)).isEqualTo(STATES);
  }

  @Test
  void aProcessThatCannotGiveTheBitsDoesNotTrain() throws Exception {
    assertThat(output(Map.of(), "MKL_CBWR=COMPATIBLE", 2, "minilm"))
        .singleElement()
        .asString()
        .startsWith(EnvironmentProcess.REFUSED + "portable kernels give other bits on this")
        .contains("product");
  }

  private static List<String> states(Map<String, String> variables, String later, int threads)
      throws Exception {
    List<String> states =
        output(variables, later, threads, MINILM).stream()
            .filter(line -> line.startsWith(EnvironmentProcess.STATE))
            .map(line -> line.substring(EnvironmentProcess.STATE.length()).substring(0, 16))
            .toList();
    return Stream.iterate(EnvironmentProcess.STEPS - 1, i -> i + EnvironmentProcess.STEPS)
        .limit(states.size() / EnvironmentProcess.STEPS)
        .map(states::get)
        .toList();
  }

  /**
   * @param variables with which the process starts
   * @param later variables to set once it has chosen its kernels
   */
  private static List<String> output(
      Map<String, String> variables, String later, int threads, String... arguments)
      throws Exception {
    List<String> options =
        List.of(
            "-D" + EnvironmentProcess.KERNELS + "=portable",
            "-D" + EnvironmentProcess.VARIABLES + "=" + later,
            "-D" + EnvironmentProcess.THREADS + "=" + threads);
    try (ChildJvm child = ChildJvm.start(options, variables, EnvironmentProcess.class, arguments)) {
      return child.output();
    }
  }
}
