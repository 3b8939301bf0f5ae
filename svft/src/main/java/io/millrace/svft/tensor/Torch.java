package io.millrace.svft.tensor;

import ai.djl.Device;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.jni.JniUtils;
import java.util.List;
import java.util.Map;

/** Millrace's use of PyTorch's settings and memory: devices, threads, caches, and arrays. */
public final class Torch {
  private static final ThreadLocal<Boolean> PREPARED = ThreadLocal.withInitial(() -> false);

  /** By which PyTorch, oneDNN and MKL choose their code for portable kernels. */
  private static final Map<String, String> PORTABLE_VARIABLES =
      Map.of("ATEN_CPU_CAPABILITY", "avx2", "ONEDNN_MAX_CPU_ISA", "AVX2");

  private static final List<String> OTHER_VARIABLES =
      List.of("DNNL_MAX_CPU_ISA", "MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS", "MKL_DEBUG_CPU_TYPE");

  /** Whether this process computes with portable kernels; null until it decides. */
  private static Boolean portable;

  private Torch() {}

  /**
   * Selects the device that a setting names.
   *
   * @param setting {@code auto} (the first GPU, or the CPU if there is none), {@code cpu}, {@code
   *     gpu} (the first), or {@code gpu:N}
   * @throws DeviceException if the setting has another form, or names a GPU that PyTorch does not
   *     see
   */
  public static Device device(String setting) {
    if (!setting.matches("auto|cpu|gpu|gpu:\\d{1,4}")) {
      throw new DeviceException(
          "unknown device \"" + setting + "\"; it is auto, cpu, gpu or gpu:N");
    }
    int gpus = Engine.getEngine("PyTorch").getGpuCount();
    if (setting.equals("cpu") || (setting.equals("auto") && gpus == 0)) {
      return Device.cpu();
    }
    int index = setting.startsWith("gpu:") ? Integer.parseInt(setting.substring(4)) : 0;
    if (index >= gpus) {
      throw new DeviceException(
          "device " + setting + " is asked for, but PyTorch sees " + gpus + " GPUs here");
    }
    return Device.gpu(index);
  }

  /**
   * Readies this process for some kernels, before its first use of PyTorch: the libraries choose
   * their code once. For portable kernels it replaces the environment variables by which they do
   * so.
   *
   * @throws DeviceException if these are portable and the process computes with others already, or
   *     the other way round
   */
  public static synchronized void use(Kernels wanted) {
    boolean asked = wanted == Kernels.PORTABLE;
    if (portable == null) {
      if (asked) {
        PORTABLE_VARIABLES.forEach(NativeEnvironment::set);
        OTHER_VARIABLES.forEach(NativeEnvironment::remove);
      }
      portable = asked;
    }
    if (portable != asked) {
      throw new DeviceException(
          "%s kernels are asked for, but this process computes with %s ones: run the two in"
                  .formatted(wanted.id(), portable ? Kernels.PORTABLE.id() : "other")
              + " processes of their own");
    }
  }

  /** Portable kernels in a process that uses these; else the fast ones. */
  public static synchronized Kernels kernels() {
    if (portable == null) {
      portable = false;
    }
    return portable ? Kernels.PORTABLE : Kernels.FAST;
  }

  /**
   * Configures PyTorch for this thread: each operator runs on this thread alone, gradients are not
   * recorded, and TorchScript runs without graph optimisation.
   *
   * <p>Threads share work in slices instead. Operators this small gain little from a second thread,
   * and a result that one thread computes does not depend on the number of threads.
   */
  public static void prepareThread() {
    if (!PREPARED.get()) {
      JniUtils.setNumThreads(1);
      PREPARED.set(true);
    }
    JniUtils.setGradMode(false);
    JniUtils.setGraphExecutorOptimize(false);
  }

  /** Returns the GPU memory that PyTorch caches for reuse to the device. Has no effect on a CPU. */
  public static void releaseCache(Device device) {
    if (device.isGpu()) {
      JniUtils.emptyCudaCache();
    }
  }

  /** A new manager of arrays on the device. The caller closes it. */
  public static NDManager newManager(Device device) {
    return Engine.getEngine("PyTorch").newBaseManager(device);
  }

  /**
   * Creates a float32 array whose memory PyTorch owns. DJL's own arrays lie in Java buffers. A
   * buffer is freed some time after its array is closed, even if a view, or a tensor that autograd
   * saved for the backward pass, still uses it.
   *
   * @param values in row-major order; copied
   */
  public static NDArray array(NDManager manager, float[] values, long... shape) {
    try (NDArray javaOwned = manager.create(values, new Shape(shape))) {
      return javaOwned.duplicate();
    }
  }

  /** Like {@link #array(NDManager, float[], long...)}, but int64 and of one dimension. */
  public static NDArray array(NDManager manager, long[] values) {
    try (NDArray javaOwned = manager.create(values)) {
      return javaOwned.duplicate();
    }
  }
}
