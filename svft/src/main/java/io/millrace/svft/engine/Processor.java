package io.millrace.svft.engine;

import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * The first processor in {@code /proc/cpuinfo} of Linux.
 *
 * @param model vendor, family and model, as far as the file has them; else empty
 * @param features the features by which numeric kernels choose their code, sorted
 */
public record Processor(String model, String features) {
  // The features by which PyTorch, MKL and oneDNN choose kernels: on x86 the "flags", on ARM the
  // "Features".
  private static final Pattern NUMERIC =
      Pattern.compile(
          "sse4_[12]|ssse3|sse4a|avx.*|fma4?|f16c|bmi[12]|amx.*|xop"
              + "|asimd.*|fp|fphp|sve.*|sme([\\d_].*)?|i8mm|bf16");

  /**
   * @param cpuinfo the lines of {@code /proc/cpuinfo}; none on other systems
   */
  public static Processor of(List<String> cpuinfo) {
    String model =
        List.of("vendor_id", "CPU implementer", "cpu family", "model", "CPU part", "model name")
            .stream()
            .map(key -> value(cpuinfo, key))
            .filter(value -> !value.isEmpty())
            .collect(Collectors.joining(" "));
    Set<String> features = new TreeSet<>();
    for (String key : List.of("flags", "Features")) {
      for (String feature : value(cpuinfo, key).split("\\s+")) {
        if (NUMERIC.matcher(feature).matches()) {
          features.add(feature);
        }
      }
    }
    return new Processor(model, String.join(" ", features));
  }

  private static String value(List<String> cpuinfo, String key) {
    for (String line : cpuinfo) {
      int colon = line.indexOf(':');
      if (colon >= 0 && line.substring(0, colon).strip().equals(key)) {
        return line.substring(colon + 1).strip();
      }
    }
    return "";
  }
}
