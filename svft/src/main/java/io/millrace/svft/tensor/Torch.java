package io.millrace.svft.tensor;

import ai.djl.Device;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.jni.JniUtils;

/** The few things Millrace asks of PyTorch that are settings of the process or of a thread. */
public final class Torch {
  private static final ThreadLocal<Boolean> PREPARED = ThreadLocal.withInitial(() -> false);

  private Torch() {}

  /**
   * The device a setting names.
   *
   * @param setting {@code auto} (a GPU where there is one), {@code cpu}, {@code gpu} (the first),
   *     or {@code gpu:N}
   * @throws DeviceException for another name, or where a GPU is asked for and there is none
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
   * Makes this thread compute each operator alone, without recording gradients, and TorchScript run
   * as written. Work is shared out to threads in slices instead: operators this small gain little
   * from a second thread, and a result that one thread computes does not depend on how many there
   * are.
   */
  public static void prepareThread() {
    if (!PREPARED.get()) {
      JniUtils.setNumThreads(1);
      PREPARED.set(true);
    }
    JniUtils.setGradMode(false);
    JniUtils.setGraphExecutorOptimize(false);
  }

  /** Gives memory that PyTorch keeps for reuse on a GPU back to the device. */
  public static void releaseCache(Device device) {
    if (device.isGpu()) {
      JniUtils.emptyCudaCache();
    }
  }

  public static NDManager newManager(Device device) {
    return Engine.getEngine("PyTorch").newBaseManager(device);
  }

  /**
   * An array whose memory PyTorch owns. DJL's own arrays lie in Java buffers that are freed some
   * time after the array is closed, whatever still looks into them: a view, or a tensor that
   * autograd saved for the backward pass.
   */
  public static NDArray array(NDManager manager, float[] values, long... shape) {
    try (NDArray javaOwned = manager.create(values, new Shape(shape))) {
      return javaOwned.duplicate();
    }
  }

  /** As {@link #array(NDManager, float[], long...)}, of one dimension. */
  public static NDArray array(NDManager manager, long[] values) {
    try (NDArray javaOwned = manager.create(values)) {
      return javaOwned.duplicate();
    }
  }
}
