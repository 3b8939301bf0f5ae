package io.millrace.svft.engine;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import ai.djl.pytorch.jni.IValue;
import io.millrace.svft.tensor.DeviceException;
import io.millrace.svft.tensor.Floats;
import io.millrace.svft.tensor.Kernels;
import io.millrace.svft.tensor.Sha256;
import io.millrace.svft.tensor.SplitMix64;
import io.millrace.svft.tensor.Torch;
import io.millrace.svft.tensor.TorchScript;
import java.security.MessageDigest;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Identifies PyTorch's kernels on a device by the name of their instruction set and by the bits of
 * their results for fixed inputs. Two machines whose bits differ here cannot train to the same
 * bits.
 *
 * @param capability the instruction set that PyTorch chose for its own kernels: such as AVX512,
 *     AVX2 or NO AVX
 * @param bits by group of kernels, the first 8 hexadecimal digits of the SHA-256 of the group's
 *     results
 */
public record KernelProbe(String capability, Map<String, String> bits) {
  /**
   * The groups in the order of {@code kernels.py}'s results, each with the number of its results.
   */
  private static final List<Map.Entry<String, Integer>> GROUPS =
      List.of(
          Map.entry("product", 4),
          Map.entry("batchProduct", 1),
          Map.entry("softmax", 3),
          Map.entry("norm", 2),
          Map.entry("gelu", 2),
          Map.entry("exp", 1),
          Map.entry("sum", 2),
          Map.entry("multiply", 1));

  /**
   * What portable kernels give on every processor that they are for. Equal to those of kernels that
   * follow the rules in {@code portable/primitives.py}; a new libtorch may need new ones.
   */
  private static final Map<String, String> PORTABLE =
      Map.of(
          "product", "5690f5b9",
          "batchProduct", "92f28494",
          "softmax", "898fea7a",
          "norm", "2720d1a1",
          "gelu", "20e83fd6",
          "exp", "53efabd7",
          "sum", "07767453",
          "multiply", "fd532c3e");

  private static final int TOKENS = 136;
  private static final int HIDDEN = 384;
  private static final int DIGITS = 8;

  /**
   * Runs kernels on a device.
   *
   * @param kernels which this process can compute with: see {@link Torch#use}
   * @throws DeviceException if they are to be portable and give other bits than they have to
   */
  public static KernelProbe on(Device device, Kernels kernels) {
    KernelProbe probe = run(device, kernels);
    if (kernels == Kernels.PORTABLE) {
      List<String> others =
          GROUPS.stream()
              .map(Map.Entry::getKey)
              .filter(group -> !probe.bits.get(group).equals(PORTABLE.get(group)))
              .toList();
      if (!others.isEmpty()) {
        throw new DeviceException(
            ("portable kernels give other bits on this %s (%s): they need a CPU with AVX2, and a"
                    + " process that used PyTorch for nothing else before")
                .formatted(device.isGpu() ? "GPU" : "processor", String.join(", ", others)));
      }
    }
    return probe;
  }

  private static KernelProbe run(Device device, Kernels used) {
    TorchScript.Source source =
        new TorchScript.Source("/io/millrace/svft/engine/", "Kernels", List.of(used.primitives()));
    try (NDManager manager = Torch.newManager(device);
        NDScope scope = new NDScope();
        TorchScript kernels = new TorchScript(manager, source)) {
      String capability = kernels.text("capability");
      SplitMix64 random = SplitMix64.seededBy("kernels");
      try (IValue x = input(manager, random, 3, TOKENS, HIDDEN);
          IValue dy = input(manager, random, 1, TOKENS, HIDDEN);
          IValue w = input(manager, random, 0.1, HIDDEN, HIDDEN);
          IValue b = input(manager, random, 1, HIDDEN)) {
        return new KernelProbe(capability, hash(kernels.call(used.id(), x, dy, w, b)));
      }
    }
  }

  private static Map<String, String> hash(List<NDArray> results) {
    Map<String, String> bits = new LinkedHashMap<>();
    int next = 0;
    for (Map.Entry<String, Integer> group : GROUPS) {
      MessageDigest digest = Sha256.digest();
      for (int i = 0; i < group.getValue(); i++) {
        digest.update(Floats.toBytes(results.get(next++).toFloatArray()));
      }
      bits.put(group.getKey(), Sha256.hex(digest).substring(0, DIGITS));
    }
    return bits;
  }

  /** An array of values drawn uniformly from [−bound, bound), as an argument. */
  private static IValue input(NDManager manager, SplitMix64 random, double bound, long... shape) {
    int size = 1;
    for (long dim : shape) {
      size *= (int) dim;
    }
    float[] values = new float[size];
    for (int i = 0; i < size; i++) {
      values[i] = random.nextWithin(bound);
    }
    return TorchScript.tensor(Torch.array(manager, values, shape));
  }
}
