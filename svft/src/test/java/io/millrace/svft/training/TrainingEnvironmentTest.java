package io.millrace.svft.training;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ai.djl.Device;
import io.millrace.svft.ChildJvm;
import io.millrace.svft.tensor.Kernels;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Tag("integration")
class TrainingEnvironmentTest {
  private static final List<String> METHODS = List.of("svft:plain", "svft:banded:1", "lora:8");

  private static Outcome here;

  /** The environment that a process printed, and the hashes of its states. */
  private record Outcome(SortedMap<String, String> environment, List<String> states) {
    static Outcome of(List<String> options, Map<String, String> variables) throws Exception {
      return of("minilm", options, variables);
    }

    static Outcome of(String model, List<String> options, Map<String, String> variables)
        throws Exception {
      SortedMap<String, String> environment = new TreeMap<>();
      List<String> arguments = new ArrayList<>(List.of(model));
      arguments.addAll(METHODS);
      try (ChildJvm child =
          ChildJvm.start(
              options, variables, EnvironmentProcess.class, arguments.toArray(String[]::new))) {
        List<String> lines = child.output();
        List<String> states =
            lines.stream().filter(l -> l.startsWith(EnvironmentProcess.STATE)).toList();
        for (String line : lines.subList(0, lines.size() - states.size())) {
          String[] entry = line.split("=", 2);
          environment.put(entry[0], entry[1]);
        }
        assertThat(states).hasSize(EnvironmentProcess.STEPS * METHODS.size());
        return new Outcome(environment, states);
      }
    }

    Map<String, String> kernels() {
      Map<String, String> kernels = new TreeMap<>(environment);
      kernels.keySet().removeIf(key -> !key.startsWith("kernel."));
      assertThat(kernels).isNotEmpty();
      return kernels;
    }
  }

  @BeforeAll
  static void runHere() throws Exception {
    here = Outcome.of(List.of(), Map.of());
  }

  @Test
  void itSaysTheSameInEveryProcessAndEachTime() {
    SortedMap<String, String> described =
        TrainingEnvironment.describe(Device.cpu(), 2, Kernels.FAST);

    assertThat(described)
        .isEqualTo(here.environment())
        .isEqualTo(TrainingEnvironment.describe(Device.cpu(), 2, Kernels.FAST));
    assertThat(TrainingEnvironment.describe(Device.cpu(), 3, Kernels.FAST))
        .containsEntry("threads", "3");
  }

  @Test
  void itNamesEveryProgramThatComputes() {
    assertThat(here.environment())
        .hasEntrySatisfying(
            "millrace", v -> assertThat(v).matches("\\d+\\.\\d+\\.\\d+(-SNAPSHOT)?"))
        .hasEntrySatisfying("djl", v -> assertThat(v).matches("0\\.\\d+\\.\\d+"))
        .hasEntrySatisfying("libtorch", v -> assertThat(v).matches("\\d+\\.\\d+\\.\\d+-\\d{8}-.+"))
        .hasEntrySatisfying("tokenizers", v -> assertThat(v).matches("0\\.\\d+\\.\\d+-.*"))
        .hasEntrySatisfying("program", v -> assertThat(v).matches("[0-9a-f]{8}"))
        .hasEntrySatisfying(
            "java", v -> assertThat(v).endsWith(" " + System.getProperty("java.vm.version")))
        .hasEntrySatisfying("cpuCapability", v -> assertThat(v).matches("[A-Z0-9 ]+"))
        .containsEntry("device", "cpu")
        .containsKeys(
            "os",
            "processor",
            "processorFeatures",
            "processorCaches",
            "kernel.product",
            "kernel.gelu");
  }

  @Test
  void itIsShortAndNamesNoPath() {
    assertThat(here.environment().toString())
        .hasSizeLessThan(1500)
        .doesNotContain("\n", System.getProperty("user.home"), System.getProperty("java.home"))
        .doesNotContainPattern("/\\w+/");
  }

  @Test
  void ofTheVariablesItTakesThoseThatChangeKernelsAndOfLongOnesAndPathsAHash() {
    Map<String, String> variables =
        Map.of(
            "MKL_CBWR", "AVX2",
            "ATEN_CPU_CAPABILITY", "avx2",
            "GLIBC_TUNABLES", "glibc.cpu.hwcaps=-AVX2",
            "LD_PRELOAD", "/home/somebody/lib.so",
            "OMP_PLACES", "{0},".repeat(30),
            "PATH", "/bin",
            "MKLX", "1",
            "AWS_SECRET", "x");

    assertThat(TrainingEnvironment.variables(variables))
        .containsEntry("MKL_CBWR", "AVX2")
        .containsEntry("ATEN_CPU_CAPABILITY", "avx2")
        .containsEntry("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-AVX2")
        .hasEntrySatisfying("OMP_PLACES", v -> assertThat(v).matches("sha256:[0-9a-f]{8}"))
        .hasEntrySatisfying("LD_PRELOAD", v -> assertThat(v).matches("sha256:[0-9a-f]{8}"))
        .hasSize(5);
  }

  @Test
  void ofCachesItTakesThoseThatHoldData(@TempDir Path directory) throws Exception {
    List<String> caches = List.of("1 Data 48K", "1 Instruction 32K", "2 Unified 2048K");
    for (int i = 0; i < caches.size(); i++) {
      Path cache = Files.createDirectory(directory.resolve("index" + i));
      String[] fields = caches.get(i).split(" ");
      Files.writeString(cache.resolve("level"), fields[0] + "\n");
      Files.writeString(cache.resolve("type"), fields[1] + "\n");
      Files.writeString(cache.resolve("size"), fields[2] + "\n");
    }

    assertThat(TrainingEnvironment.caches(directory)).isEqualTo("L1 48K L2 2048K");
    assertThat(TrainingEnvironment.caches(directory.resolve("none"))).isEmpty();
  }

  @Test
  void differencesAreNamedInOrderWithBothValues() {
    Map<String, String> recorded =
        Map.of("threads", "2", "cpuCapability", "AVX512", "djl", "1", "env.MKL_CBWR", "AVX2");
    Map<String, String> now = Map.of("threads", "3", "cpuCapability", "AVX2", "djl", "1", "os", "");

    assertThat(TrainingEnvironment.differences(recorded, now))
        .containsExactly(
            "cpuCapability: recorded AVX512, here AVX2",
            "env.MKL_CBWR: recorded AVX2, here nothing",
            "os: recorded nothing, here empty (changes no bits)",
            "threads: recorded 2, here 3 (changes no bits)");
    assertThat(TrainingEnvironment.differences(now, now)).isEmpty();
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource({
    "the first compiler alone, -XX:TieredStopAtLevel=1, A=b",
    "the optimising compiler alone, -XX:-TieredCompilation, A=b",
    "another locale and zone, -Duser.language=tr -Duser.country=TR -Duser.timezone=Asia/Tokyo, LC_ALL=C",
    "another heap and collector, -Xmx200m -XX:+UseParallelGC -XX:-UseSerialGC, A=b",
    "every array in pages of its own, -Da=b, MALLOC_MMAP_THRESHOLD_=4096",
    "memory that is never zero by chance, -Da=b, MALLOC_PERTURB_=85",
    "threads that OpenMP may use, -Da=b, OMP_NUM_THREADS=3",
    "threads that MKL may use, -Da=b, MKL_NUM_THREADS=2",
    "threads that spin while they wait, -Da=b, OMP_WAIT_POLICY=ACTIVE",
  })
  void theseReachNoBits(String what, String options, String variable) throws Exception {
    String[] entry = variable.split("=");
    Outcome there = Outcome.of(List.of(options.split(" ")), Map.of(entry[0], entry[1]));

    assertThat(there.states()).isEqualTo(here.states());
    assertThat(TrainingEnvironment.differences(here.environment(), there.environment()))
        .allSatisfy(line -> assertThat(line).endsWith(" (changes no bits)"));
  }

  @Test
  void theInterpreterComputesWhatCompiledCodeDoes(@TempDir Path directory) throws Exception {
    Outcome compiled = Outcome.of(directory.toString(), List.of(), Map.of());

    Outcome interpreted = Outcome.of(directory.toString(), List.of("-Xint"), Map.of());

    assertThat(interpreted.states()).isEqualTo(compiled.states());
  }

  /** The lines explain why the states differ. */
  @Test
  void anotherInstructionSetGivesOtherBitsAndIsNamed() throws Exception {
    String capability = here.environment().get("cpuCapability");
    assumeFalse(capability.equals("NO AVX"));

    Outcome there = Outcome.of(List.of(), Map.of("ATEN_CPU_CAPABILITY", "default"));

    assertThat(there.states()).doesNotContainAnyElementsOf(here.states());
    assertThat(TrainingEnvironment.differences(here.environment(), there.environment()))
        .contains(
            "cpuCapability: recorded " + capability + ", here NO AVX",
            "env.ATEN_CPU_CAPABILITY: recorded nothing, here default")
        .anyMatch(line -> line.startsWith("kernel."));
    assertThat(TrainingEnvironment.advice(here.environment(), there.environment()))
        .hasValueSatisfying(advice -> assertThat(advice).contains("training.kernels=portable"));
    assertThat(TrainingEnvironment.advice(here.environment(), here.environment())).isEmpty();
  }

  @Test
  void aProcessorReachesNoBitsOfPortableKernels() {
    Map<String, String> intel = Map.of("kernels", "portable", "processor", "Intel");
    Map<String, String> amd = Map.of("kernels", "portable", "processor", "AMD");

    assertThat(TrainingEnvironment.differences(intel, amd))
        .containsExactly("processor: recorded Intel, here AMD (changes no bits)");
    assertThat(
            TrainingEnvironment.differences(
                Map.of("processor", "Intel"), Map.of("processor", "AMD")))
        .containsExactly("processor: recorded Intel, here AMD");
  }

  /**
   * The variables in docs/determinism.md that give the bits of an AVX2 processor on a newer one.
   * The first process is the closest to an AVX2 processor that this machine can run.
   */
  @Test
  void threeVariablesGiveTheBitsOfAnAvx2Processor() throws Exception {
    assumeTrue(here.environment().get("processorFeatures").contains("avx2"));
    Outcome limited =
        Outcome.of(
            List.of(),
            Map.of(
                "ATEN_CPU_CAPABILITY", "avx2",
                "ONEDNN_MAX_CPU_ISA", "AVX2",
                "MKL_ENABLE_INSTRUCTIONS", "AVX2"));

    Outcome chosen =
        Outcome.of(
            List.of(),
            Map.of(
                "ATEN_CPU_CAPABILITY", "avx2",
                "ONEDNN_MAX_CPU_ISA", "AVX2",
                "MKL_CBWR", "AVX2"));

    assertThat(chosen.states()).isEqualTo(limited.states());
    assertThat(chosen.kernels()).isEqualTo(limited.kernels());
  }
}
