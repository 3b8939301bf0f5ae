package io.millrace.operators.model;

import ai.djl.Device;
import io.millrace.svft.tensor.Torch;
import org.apache.flink.api.common.externalresource.ExternalResourceInfo;
import org.apache.flink.api.common.functions.RuntimeContext;

/** The device on which a task computes. */
public final class TaskDevice {
  /** Name of the external resource that task managers with a GPU declare. */
  public static final String GPU_RESOURCE = "gpu";

  private TaskDevice() {}

  /**
   * The device of a task: the GPU that Flink assigned to it, or else the configured device.
   *
   * @param configured {@code auto}, {@code cpu}, {@code gpu} or {@code gpu:N}; {@code cpu} always
   *     wins
   */
  public static Device of(RuntimeContext context, String configured) {
    if (configured.equals("cpu")) {
      return Torch.device(configured);
    }
    return Torch.device(
        context.getExternalResourceInfos(GPU_RESOURCE).stream()
            .flatMap((ExternalResourceInfo gpu) -> gpu.getProperty("index").stream())
            .findFirst()
            .map(index -> "gpu:" + index)
            .orElse(configured));
  }
}
