package io.millrace.svft.tensor;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;

/**
 * Float32 values outside of the Java heap, as little-endian bytes. The garbage collector does not
 * move them, and PyTorch, hashes and buffers read them where they are. Their memory is freed some
 * time after the last object that refers to it.
 */
public final class NativeFloats {
  /**
   * That of PyTorch's own arrays: a matrix product may have other bits for arrays that begin
   * elsewhere.
   */
  private static final int ALIGNMENT = 64;

  private final ByteBuffer bytes;

  private NativeFloats(ByteBuffer bytes) {
    this.bytes = bytes.order(ByteOrder.LITTLE_ENDIAN);
  }

  /**
   * Zeros.
   *
   * @throws ArithmeticException if the bytes exceed a buffer
   */
  public static NativeFloats allocate(int size) {
    int length = Math.multiplyExact(size, Float.BYTES);
    ByteBuffer more = ByteBuffer.allocateDirect(Math.addExact(length, ALIGNMENT));
    return new NativeFloats(
        more.slice((ALIGNMENT - more.alignmentOffset(0, ALIGNMENT)) % ALIGNMENT, length));
  }

  /** A copy of an array. */
  public static NativeFloats copyOf(float[] values) {
    NativeFloats copy = allocate(values.length);
    copy.put(0, values, values.length);
    return copy;
  }

  /**
   * The values in a direct buffer's remaining bytes, which are not copied.
   *
   * @throws IllegalArgumentException if it lies on the heap, or holds no whole values
   */
  public static NativeFloats of(ByteBuffer direct) {
    if (!direct.isDirect() || direct.remaining() % Float.BYTES != 0) {
      throw new IllegalArgumentException(direct + " holds no float32 values outside of the heap");
    }
    return new NativeFloats(direct.slice());
  }

  /** The number of values. */
  public int size() {
    return bytes.capacity() / Float.BYTES;
  }

  /** The same values from one index to another, exclusive. */
  public NativeFloats slice(int from, int to) {
    return new NativeFloats(bytes.slice(from * Float.BYTES, (to - from) * Float.BYTES));
  }

  /** All bytes; the caller's buffer, and the same memory. */
  public ByteBuffer bytes() {
    return bytes.duplicate().order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Copies values from here to the beginning of an array. */
  public void get(int from, float[] to, int count) {
    slice(from, from + count).bytes.asFloatBuffer().get(to, 0, count);
  }

  /** Copies the beginning of an array to here. */
  public void put(int at, float[] values, int count) {
    slice(at, at + count).bytes.asFloatBuffer().put(values, 0, count);
  }

  /** A copy on the heap. */
  public float[] toArray() {
    float[] copy = new float[size()];
    get(0, copy, copy.length);
    return copy;
  }

  /** Adds all bytes to a hash. */
  public void addTo(MessageDigest digest) {
    digest.update(bytes());
  }

  /**
   * All values as an array, which reads this memory and must not change it. It is a copy where the
   * values do not begin where PyTorch's would, or where the manager's device is another one.
   *
   * @param manager owns the array, unless a scope of the caller does
   */
  public NDArray array(NDManager manager, long... shape) {
    // The array holds the buffer, so the memory stays for as long as it is open.
    NDArray here = manager.create(bytes(), new Shape(shape), DataType.FLOAT32);
    if (bytes.alignmentOffset(0, ALIGNMENT) == 0) {
      return here;
    }
    try (here) {
      return here.duplicate();
    }
  }
}
