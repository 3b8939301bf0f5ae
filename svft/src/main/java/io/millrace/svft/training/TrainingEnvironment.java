package io.millrace.svft.training;

import ai.djl.Device;
import ai.djl.engine.Engine;
import ai.djl.util.Platform;
import ai.djl.util.Utils;
import ai.djl.util.cuda.CudaUtils;
import io.millrace.svft.engine.KernelProbe;
import io.millrace.svft.engine.Processor;
import io.millrace.svft.model.Architecture;
import io.millrace.svft.model.ModelException;
import io.millrace.svft.tensor.Kernels;
import io.millrace.svft.tensor.Sha256;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Describes what the bits of a training step may depend on besides the stream, the settings and the
 * base model: programs, the processor, and everything by which kernels choose their code.
 *
 * <table>
 * <caption>Keys</caption>
 * <tr><td>{@code millrace}, {@code djl}, {@code libtorch}, {@code tokenizers}
 *     <td>versions; that of libtorch with the build's date and flavor, or with the size of the
 *     library in PYTORCH_LIBRARY_PATH
 * <tr><td>{@code program}
 *     <td>the first 8 digits of the SHA-256 of the source text of a step's TorchScript program
 * <tr><td>{@code java} <td>vendor, virtual machine, version
 * <tr><td>{@code os}, {@code glibc} <td>name, architecture, version; glibc only if it is found
 * <tr><td>{@code processor}, {@code processorFeatures}, {@code processorCaches}
 *     <td>the first processor, its features by which kernels choose their code, and its caches;
 *     empty if Linux does not state them
 * <tr><td>{@code cpuCapability} <td>the instruction set that PyTorch chose for its own kernels
 * <tr><td>{@code kernels} <td>portable, if those compute; nothing for the fast ones
 * <tr><td>{@code kernel.*}
 *     <td>for each group of kernels on the device, the first digits of a hash of their results for
 *     fixed inputs; different digits mean different bits
 * <tr><td>{@code env.*}
 *     <td>environment variables that affect kernels; a value that is long or contains a path is
 *     replaced by a hash
 * <tr><td>{@code device} <td>cpu, or gpu with its compute capability and CUDA version
 * <tr><td>{@code threads} <td>the number of threads that share a step
 * </table>
 */
public final class TrainingEnvironment {
  private static final Pattern KERNEL_VARIABLES =
      Pattern.compile(
          "(ATEN|MKL|ONEDNN|DNNL|OMP|GOMP|KMP|TORCH|CUDNN|CUBLAS)_.*"
              + "|NVIDIA_TF32_OVERRIDE|GLIBC_TUNABLES|LD_PRELOAD");
  private static final int LONGEST_VALUE = 64;
  private static final String KERNELS = "kernels";

  // Entries that do not affect bits, as TrainingEnvironmentTest and DeterminismTest check. Java's
  // arithmetic is strict since version 17.
  private static final Set<String> HARMLESS =
      Set.of(
          "java",
          "os",
          "threads",
          "env.OMP_NUM_THREADS",
          "env.OMP_WAIT_POLICY",
          "env.MKL_NUM_THREADS");

  /** Entries that do not affect bits, either, where portable kernels computed before and now. */
  private static final Pattern HARMLESS_TO_PORTABLE =
      Pattern.compile("glibc|processor.*|cpuCapability|env\\.(ATEN|MKL|ONEDNN|DNNL)_.*");

  private record Computes(Device device, Kernels kernels) {}

  /** At most one for each kind of kernels and each device that a process computes on. */
  private static final Map<Computes, SortedMap<String, String>> KNOWN = new ConcurrentHashMap<>();

  private TrainingEnvironment() {}

  /**
   * Describes this process. The first call for a device runs the kernels once; later calls use the
   * cached description.
   *
   * @param device the device of the steps
   * @param threads the number of threads that share a step
   * @param kernels what steps compute with
   * @return the entries by key, one line of text each, without names of hosts, users or paths
   */
  public static SortedMap<String, String> describe(Device device, int threads, Kernels kernels) {
    SortedMap<String, String> entries =
        new TreeMap<>(
            KNOWN.computeIfAbsent(
                new Computes(device, kernels), each -> describe(each.device, each.kernels)));
    entries.put("threads", String.valueOf(threads));
    return Collections.unmodifiableSortedMap(entries);
  }

  private static SortedMap<String, String> describe(Device device, Kernels kernels) {
    // Runs first, because it loads the libraries that the entries below describe.
    KernelProbe probe = KernelProbe.on(device, kernels);
    SortedMap<String, String> entries = new TreeMap<>();
    entries.put("millrace", property("/io/millrace/svft/training/build.properties", "version"));
    entries.put("djl", Engine.getDjlVersion());
    entries.put("libtorch", libtorch());
    entries.put("tokenizers", Platform.detectPlatform("tokenizers").getVersion());
    entries.put("program", Sha256.of(Architecture.BERT.program(kernels).text()).substring(0, 8));
    entries.put("java", system("java.vendor", "java.vm.name", "java.vm.version"));
    entries.put("os", system("os.name", "os.arch", "os.version"));
    String glibc = glibc();
    if (!glibc.isEmpty()) {
      entries.put("glibc", glibc);
    }
    Processor processor = Processor.of(lines(Path.of("/proc/cpuinfo")));
    entries.put("processor", processor.model());
    entries.put("processorFeatures", processor.features());
    entries.put("processorCaches", caches(Path.of("/sys/devices/system/cpu/cpu0/cache")));
    // Records of releases that had no others name none.
    if (kernels != Kernels.FAST) {
      entries.put(KERNELS, kernels.id());
    }
    entries.put("cpuCapability", probe.capability());
    probe.bits().forEach((group, hash) -> entries.put("kernel." + group, hash));
    variables(System.getenv()).forEach((name, value) -> entries.put("env." + name, value));
    entries.put("device", device(device));
    return entries;
  }

  /** The environment variables of a process that affect kernels. */
  static SortedMap<String, String> variables(Map<String, String> environment) {
    SortedMap<String, String> found = new TreeMap<>();
    environment.forEach(
        (name, value) -> {
          if (KERNEL_VARIABLES.matcher(name).matches()) {
            boolean shown = !value.contains("/") && value.length() <= LONGEST_VALUE;
            found.put(name, shown ? value : hash(value));
          }
        });
    return found;
  }

  private static String hash(String value) {
    return "sha256:" + Sha256.of(value.getBytes(StandardCharsets.UTF_8)).substring(0, 8);
  }

  /**
   * The entries in which two environments differ, in the order of their keys, such as {@code
   * "cpuCapability: recorded AVX512, here AVX2"}. The line of an entry that {@linkplain
   * #reachesBits cannot change bits} says so.
   */
  public static List<String> differences(Map<String, String> recorded, Map<String, String> here) {
    Set<String> keys = new TreeSet<>(recorded.keySet());
    keys.addAll(here.keySet());
    List<String> lines = new ArrayList<>();
    boolean portable = isPortable(recorded) && isPortable(here);
    for (String key : keys) {
      String before = recorded.get(key);
      String now = here.get(key);
      if (!Objects.equals(before, now)) {
        boolean harmless =
            !reachesBits(key) || portable && HARMLESS_TO_PORTABLE.matcher(key).matches();
        lines.add(
            "%s: recorded %s, here %s%s"
                .formatted(key, shown(before), shown(now), harmless ? " (changes no bits)" : ""));
      }
    }
    return lines;
  }

  /**
   * What to do where fast kernels give other bits here than they gave on another kind of processor;
   * empty where they do not, or where portable ones computed.
   */
  public static Optional<String> advice(Map<String, String> recorded, Map<String, String> here) {
    boolean otherKernels =
        here.entrySet().stream()
            .filter(entry -> entry.getKey().startsWith("kernel."))
            .anyMatch(entry -> !entry.getValue().equals(recorded.get(entry.getKey())));
    if (!otherKernels || isPortable(recorded)) {
      return Optional.empty();
    }
    return Optional.of(
        "this processor's kernels are not those of the recorded one: replay on a machine"
            + " of the recorded kind (processor, cpuCapability and env above), and train with"
            + " training.kernels=portable to replay on any x86-64 processor that has AVX2");
  }

  private static boolean isPortable(Map<String, String> environment) {
    return Kernels.PORTABLE.id().equals(environment.get(KERNELS));
  }

  private static String shown(String value) {
    if (value == null) {
      return "nothing";
    }
    return value.isEmpty() ? "empty" : value;
  }

  /** Whether a difference in an entry may change the bits of a step. */
  public static boolean reachesBits(String key) {
    return !HARMLESS.contains(key);
  }

  /**
   * The version of libtorch. DJL loads the libtorch in its own jars, unless PYTORCH_LIBRARY_PATH
   * names another.
   */
  private static String libtorch() {
    Platform bundled = Platform.detectPlatform("pytorch");
    if (Utils.getEnvOrSystemProperty("PYTORCH_LIBRARY_PATH") == null) {
      return bundled.getVersion() + "-" + bundled.getFlavor();
    }
    return "%s-%s, another build: %d bytes"
        .formatted(
            Utils.getEnvOrSystemProperty("PYTORCH_VERSION", bundled.getVersion()),
            Utils.getEnvOrSystemProperty("PYTORCH_FLAVOR", bundled.getFlavor()),
            mapped("libtorch_cpu\\.so").map(library -> library.toFile().length()).orElse(0L));
  }

  private static String device(Device device) {
    if (!device.isGpu()) {
      return "cpu";
    }
    return "gpu, compute capability %s, CUDA %s"
        .formatted(
            CudaUtils.getComputeCapability(device.getDeviceId()), CudaUtils.getCudaVersionString());
  }

  private static String system(String... properties) {
    List<String> values = new ArrayList<>();
    for (String property : properties) {
      values.add(System.getProperty(property, ""));
    }
    return String.join(" ", values);
  }

  private static String property(String resource, String name) {
    Properties properties = new Properties();
    try (InputStream in = TrainingEnvironment.class.getResourceAsStream(resource)) {
      properties.load(in);
    } catch (IOException e) {
      throw new ModelException(resource + ": " + e.getMessage(), e);
    }
    return properties.getProperty(name);
  }

  /**
   * The data caches of the first processor, as Linux states them. MKL may choose the blocks of
   * products by their size.
   */
  static String caches(Path directory) {
    List<String> caches = new ArrayList<>();
    for (int i = 0; Files.isDirectory(directory.resolve("index" + i)); i++) {
      Path cache = directory.resolve("index" + i);
      String level = String.join("", lines(cache.resolve("level")));
      String type = String.join("", lines(cache.resolve("type")));
      String size = String.join("", lines(cache.resolve("size")));
      if (!type.equals("Instruction")) {
        caches.add("L" + level + " " + size);
      }
    }
    return String.join(" ", caches);
  }

  /** The version of glibc that this process has loaded; empty if it has none. */
  private static String glibc() {
    return mapped("libc(\\.so\\.6|-[\\d.]+\\.so)")
        .map(TrainingEnvironment::glibcVersion)
        .orElse("");
  }

  /** The first library mapped by this process whose file name matches a regular expression. */
  private static Optional<Path> mapped(String name) {
    return lines(Path.of("/proc/self/maps")).stream()
        .filter(line -> line.matches("[^/]*/(.*/)?" + name))
        .map(line -> Path.of(line.substring(line.indexOf('/'))))
        .findFirst();
  }

  private static String glibcVersion(Path library) {
    try {
      String text = Files.readString(library, StandardCharsets.ISO_8859_1);
      Matcher version =
          Pattern.compile(
                  "GNU C Library \\(([\\x20-\\x7e&&[^)]]{1,60})\\)[^\\n]{0,20} version ([\\d.]*\\d)")
              .matcher(text);
      return version.find() ? version.group(2) + " (" + version.group(1) + ")" : "";
    } catch (IOException e) {
      return "";
    }
  }

  private static List<String> lines(Path file) {
    try {
      return Files.readAllLines(file, StandardCharsets.ISO_8859_1);
    } catch (IOException e) {
      return List.of();
    }
  }
}
