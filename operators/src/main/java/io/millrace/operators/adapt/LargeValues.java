package io.millrace.operators.adapt;

import io.millrace.schemas.DomainState;
import io.millrace.svft.tensor.Floats;
import io.millrace.svft.tensor.NativeFloats;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.apache.avro.Schema;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.Types;

/**
 * The values and moments of large training states in keyed state: in pieces, beside the state's
 * record. A record that held them would stand in the heap several times as it is written and read,
 * 127 MB each for full fine-tuning.
 *
 * <p>Piece 0 has the number of values; pieces of values, first and second moments follow. Applies
 * to Flink's current key. For the task's thread.
 */
final class LargeValues {
  private static final int VALUES_PER_PIECE = 1 << 18;
  private static final int SIZE = 0;

  private final MapState<Integer, byte[]> pieces;

  LargeValues(RuntimeContext context) {
    pieces =
        context.getMapState(
            new MapStateDescriptor<>(
                "domain-values", Types.INT, PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO));
  }

  /**
   * Writes a state's values and moments.
   *
   * @return the state without them, for its record
   */
  DomainState write(DomainState state) throws Exception {
    List<ByteBuffer> all =
        List.of(state.getValues(), state.getValuesFirstMoment(), state.getValuesSecondMoment());
    int count = state.getValues().remaining() / Float.BYTES;
    pieces.put(SIZE, ByteBuffer.allocate(Integer.BYTES).putInt(count).array());
    int next = SIZE + 1;
    for (ByteBuffer each : all) {
      NativeFloats values = NativeFloats.of(each);
      for (int from = 0; from < count; from += VALUES_PER_PIECE) {
        pieces.put(next++, piece(values.slice(from, Math.min(count, from + VALUES_PER_PIECE))));
      }
    }
    return without(state);
  }

  /** Moments may be bfloat16, which takes half the bytes. */
  private static byte[] piece(NativeFloats values) {
    float[] first = new float[Math.min(values.size(), 16)];
    values.get(0, first, first.length);
    if (Floats.allBFloat16(first)) {
      float[] all = values.toArray();
      if (Floats.allBFloat16(all)) {
        return Floats.toBFloat16Bytes(all);
      }
    }
    byte[] bytes = new byte[values.size() * Float.BYTES];
    values.bytes().get(bytes);
    return bytes;
  }

  /**
   * Reads the values and moments of a state into memory outside of the heap, if it has any here.
   */
  void read(DomainState state) throws Exception {
    byte[] size = state.getValues().hasRemaining() ? null : pieces.get(SIZE);
    if (size == null) {
      return;
    }
    int count = ByteBuffer.wrap(size).getInt();
    int next = SIZE + 1;
    List<NativeFloats> all = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      NativeFloats values = NativeFloats.allocate(count);
      for (int from = 0; from < count; from += VALUES_PER_PIECE) {
        int length = Math.min(count - from, VALUES_PER_PIECE);
        ByteBuffer bytes = ByteBuffer.wrap(pieces.get(next++));
        boolean whole = bytes.remaining() == length * Float.BYTES;
        values.put(from, whole ? Floats.fromBytes(bytes) : Floats.fromBFloat16Bytes(bytes), length);
      }
      all.add(values);
    }
    state.setValues(all.get(0).bytes());
    state.setValuesFirstMoment(all.get(1).bytes());
    state.setValuesSecondMoment(all.get(2).bytes());
  }

  void clear() {
    pieces.clear();
  }

  /** A copy of a state's record that shares all but values and moments. */
  private static DomainState without(DomainState state) {
    DomainState copy = new DomainState();
    for (Schema.Field field : DomainState.getClassSchema().getFields()) {
      copy.put(field.pos(), state.get(field.pos()));
    }
    copy.setValues(ByteBuffer.allocate(0));
    copy.setValuesFirstMoment(ByteBuffer.allocate(0));
    copy.setValuesSecondMoment(ByteBuffer.allocate(0));
    return copy;
  }
}
