package io.millrace.svft.tensor;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Arrays of numbers as little-endian bytes: how payloads, state and hashes hold them. */
public final class Floats {
  private Floats() {}

  public static byte[] toBytes(float[] values) {
    byte[] bytes = new byte[Math.multiplyExact(values.length, Float.BYTES)];
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().put(values);
    return bytes;
  }

  public static byte[] toBytes(int[] values) {
    byte[] bytes = new byte[Math.multiplyExact(values.length, Integer.BYTES)];
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asIntBuffer().put(values);
    return bytes;
  }

  /** The buffer's remaining bytes as ints; the buffer itself is left as it was. */
  public static int[] intsFromBytes(ByteBuffer bytes) {
    if (bytes.remaining() % Integer.BYTES != 0) {
      throw new IllegalArgumentException(bytes.remaining() + " bytes are no whole int32 values");
    }
    int[] values = new int[bytes.remaining() / Integer.BYTES];
    bytes.slice().order(ByteOrder.LITTLE_ENDIAN).asIntBuffer().get(values);
    return values;
  }

  /** The buffer's remaining bytes as floats; the buffer itself is left as it was. */
  public static float[] fromBytes(ByteBuffer bytes) {
    if (bytes.remaining() % Float.BYTES != 0) {
      throw new IllegalArgumentException(bytes.remaining() + " bytes are no whole float32 values");
    }
    float[] values = new float[bytes.remaining() / Float.BYTES];
    bytes.slice().order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(values);
    return values;
  }

  /** Whether no value is infinite or NaN. */
  public static boolean allFinite(float[] values) {
    for (float value : values) {
      if (!Float.isFinite(value)) {
        return false;
      }
    }
    return true;
  }
}
