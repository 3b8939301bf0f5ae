package io.millrace.svft.method;

/**
 * A tensor of trainable values that a method has for each adapted weight. The payload holds the
 * same tensor.
 *
 * @param suffix the part of the tensor's name after the module's name, such as {@code
 *     .lora_A.weight}
 * @param shape the dimensions; values are in row-major order
 */
public record ValueTensor(String suffix, long... shape) {

  /**
   * The number of values.
   *
   * @throws ArithmeticException if it exceeds a long
   */
  public long size() {
    long size = 1;
    for (long length : shape) {
      size = Math.multiplyExact(size, length);
    }
    return size;
  }
}
