package io.millrace.svft.method;

/**
 * A tensor of trainable values that a method has for each adapted weight, as a payload holds it.
 *
 * @param suffix its name follows that of the weight's module: {@code .lora_A.weight}
 * @param shape its values lie row-major
 */
public record ValueTensor(String suffix, long... shape) {

  /** How many values it has. */
  public long size() {
    long size = 1;
    for (long length : shape) {
      size = Math.multiplyExact(size, length);
    }
    return size;
  }
}
