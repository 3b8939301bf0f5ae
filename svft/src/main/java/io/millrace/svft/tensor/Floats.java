package io.millrace.svft.tensor;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.ShortBuffer;

/**
 * Converts arrays of numbers to and from little-endian bytes, the form in payloads, state and
 * hashes.
 */
public final class Floats {
  private static final int EXPONENT = 0x7F80_0000;
  private static final int LOWEST_EXPONENT_BIT = 0x0080_0000;

  private Floats() {}

  /**
   * Little-endian float32, 4 bytes per value.
   *
   * @throws ArithmeticException if the bytes exceed an array
   */
  public static byte[] toBytes(float[] values) {
    byte[] bytes = new byte[Math.multiplyExact(values.length, Float.BYTES)];
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().put(values);
    return bytes;
  }

  /**
   * Little-endian int32, 4 bytes per value.
   *
   * @throws ArithmeticException if the bytes exceed an array
   */
  public static byte[] toBytes(int[] values) {
    byte[] bytes = new byte[Math.multiplyExact(values.length, Integer.BYTES)];
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asIntBuffer().put(values);
    return bytes;
  }

  /**
   * Reads the buffer's remaining bytes as little-endian int32 values. The buffer's position does
   * not change.
   *
   * @throws IllegalArgumentException if the number of bytes is not a multiple of 4
   */
  public static int[] intsFromBytes(ByteBuffer bytes) {
    if (bytes.remaining() % Integer.BYTES != 0) {
      throw new IllegalArgumentException(bytes.remaining() + " bytes are no whole int32 values");
    }
    int[] values = new int[bytes.remaining() / Integer.BYTES];
    bytes.slice().order(ByteOrder.LITTLE_ENDIAN).asIntBuffer().get(values);
    return values;
  }

  /**
   * Reads the buffer's remaining bytes as little-endian float32 values. The buffer's position does
   * not change.
   *
   * @throws IllegalArgumentException if the number of bytes is not a multiple of 4
   */
  public static float[] fromBytes(ByteBuffer bytes) {
    if (bytes.remaining() % Float.BYTES != 0) {
      throw new IllegalArgumentException(bytes.remaining() + " bytes are no whole float32 values");
    }
    float[] values = new float[bytes.remaining() / Float.BYTES];
    bytes.slice().order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(values);
    return values;
  }

  /** Whether all values are bfloat16 values: the lower half of each is zero. */
  public static boolean allBFloat16(float[] values) {
    for (float value : values) {
      if ((Float.floatToRawIntBits(value) & 0xFFFF) != 0) {
        return false;
      }
    }
    return true;
  }

  /** Little-endian bfloat16, 2 bytes per value: the upper half of each float32. */
  public static byte[] toBFloat16Bytes(float[] values) {
    byte[] bytes = new byte[Math.multiplyExact(values.length, Short.BYTES)];
    ShortBuffer halves = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asShortBuffer();
    for (float value : values) {
      halves.put((short) (Float.floatToRawIntBits(value) >>> Short.SIZE));
    }
    return bytes;
  }

  /**
   * Reads the buffer's remaining bytes as little-endian bfloat16 values. The buffer's position does
   * not change.
   */
  public static float[] fromBFloat16Bytes(ByteBuffer bytes) {
    float[] values = new float[bytes.remaining() / Short.BYTES];
    ShortBuffer halves = bytes.slice().order(ByteOrder.LITTLE_ENDIAN).asShortBuffer();
    for (int i = 0; i < values.length; i++) {
      values[i] = Float.intBitsToFloat(halves.get(i) << Short.SIZE);
    }
    return values;
  }

  /** Whether all values are finite: none is infinite or NaN. */
  public static boolean allFinite(float[] values) {
    // A carry out of an exponent of ones; a branch for each value would take twice the time.
    int carries = 0;
    for (float value : values) {
      carries |= (Float.floatToRawIntBits(value) & EXPONENT) + LOWEST_EXPONENT_BIT;
    }
    return carries >= 0;
  }
}
