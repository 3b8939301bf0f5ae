package io.millrace.operators.adapt;

import io.millrace.schemas.DomainState;
import io.millrace.svft.training.Parameters;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.formats.avro.typeutils.AvroTypeInfo;
import org.apache.flink.streaming.api.operators.KeyContext;

/**
 * The training states in Flink's keyed state. A small one is written there after each step. A large
 * one, such as the 127 MB of full fine-tuning, stays in memory between steps, outside of the heap,
 * and is written only for a checkpoint, or where another one needs the memory. A restart goes on
 * from a checkpoint in any case, and takes the steps after it again.
 *
 * <p>Methods that name a domain apply to Flink's current key, which must be that domain. For the
 * task's thread.
 */
final class HeldStates {
  /** Bytes of large states in memory, unless a single one has more. */
  private static final long MOST_BYTES = 192L << 20;

  /** A large state, and whether keyed state has another one. */
  private static final class Held {
    private final DomainState state;
    private boolean changed;

    Held(DomainState state) {
      this.state = state;
    }
  }

  private final KeyContext keys;
  private final ValueState<DomainState> states;
  private final LargeValues values;

  /** The least recently used one first. */
  private final Map<String, Held> held = new LinkedHashMap<>(16, 0.75f, true);

  /**
   * @param keys sets Flink's current key
   */
  HeldStates(RuntimeContext context, KeyContext keys) {
    this.keys = keys;
    states =
        context.getState(
            new ValueStateDescriptor<>("domain-state", new AvroTypeInfo<>(DomainState.class)));
    values = new LargeValues(context);
  }

  /** Whether a state stays in memory between steps. */
  static boolean isLarge(DomainState state) {
    return state.getValues().remaining() / Float.BYTES > Parameters.MOST_ON_HEAP;
  }

  /** A domain's state; null if it has none. It may be changed, and is then to be {@link #put}. */
  DomainState of(String domain) throws Exception {
    Held there = held.get(domain);
    if (there != null) {
      return there.state;
    }
    DomainState state = states.value();
    if (state != null) {
      values.read(state);
      // An earlier release wrote all of it into the record.
      if (isLarge(state)) {
        DomainStates.moveOutside(state);
      }
    }
    return state;
  }

  /** Takes a domain's state after a step or a version. */
  void put(String domain, DomainState state) throws Exception {
    if (!isLarge(state)) {
      states.update(state);
      return;
    }
    held.computeIfAbsent(domain, key -> new Held(state)).changed = true;
    makeRoom(domain);
  }

  private void makeRoom(String domain) throws Exception {
    long bytes = held.values().stream().mapToLong(each -> DomainStates.bytes(each.state)).sum();
    Iterator<Map.Entry<String, Held>> oldest = held.entrySet().iterator();
    while (bytes > MOST_BYTES && held.size() > 1) {
      Map.Entry<String, Held> next = oldest.next();
      keys.setCurrentKey(next.getKey());
      write(next.getValue());
      bytes -= DomainStates.bytes(next.getValue().state);
      oldest.remove();
    }
    keys.setCurrentKey(domain);
  }

  /** Drops a domain's state. */
  void clear(String domain) {
    held.remove(domain);
    states.clear();
    values.clear();
  }

  /** Writes all that keyed state does not have yet. Changes the current key. */
  void writeAll() throws Exception {
    for (Map.Entry<String, Held> each : held.entrySet()) {
      keys.setCurrentKey(each.getKey());
      write(each.getValue());
    }
  }

  private void write(Held held) throws Exception {
    if (held.changed) {
      states.update(values.write(held.state));
      held.changed = false;
    }
  }
}
