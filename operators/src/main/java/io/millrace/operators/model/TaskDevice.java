package io.millrace.operators.model;

import ai.djl.Device;
import io.millrace.svft.tensor.DeviceException;
import io.millrace.svft.tensor.Kernels;
import io.millrace.svft.tensor.Torch;
import java.io.Serializable;
import org.apache.flink.api.common.externalresource.ExternalResourceInfo;
import org.apache.flink.api.common.functions.RuntimeContext;

/**
 * Where a job's tasks compute.
 *
 * @param configured {@code auto}, {@code cpu}, {@code gpu} or {@code gpu:N}
 * @param kernels the kernels of every task manager of the job
 */
public record TaskDevice(String configured, Kernels kernels) implements Serializable {
  /** Name of the external resource that task managers with a GPU declare. */
  public static final String GPU_RESOURCE = "gpu";

  /**
   * Readies this process, and selects the device of a task: the GPU that Flink assigned to it, or
   * else the configured device; {@code cpu} always wins.
   *
   * @throws DeviceException where there is no such device, or this task manager computes with other
   *     kernels already
   */
  public Device of(RuntimeContext context) {
    Torch.use(kernels);
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
