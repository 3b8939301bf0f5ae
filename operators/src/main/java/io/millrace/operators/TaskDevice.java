package io.millrace.operators;

import ai.djl.Device;
import io.millrace.svft.Torch;
import org.apache.flink.api.common.externalresource.ExternalResourceInfo;
import org.apache.flink.api.common.functions.RuntimeContext;

/** Where a task computes. */
final class TaskDevice {
  /** Name of the external resource that task managers with a GPU declare. */
  static final String GPU_RESOURCE = "gpu";

  private TaskDevice() {}

  /** The configured device; where Flink assigned this task a GPU, that one. */
  static Device of(RuntimeContext context, String configured) {
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
