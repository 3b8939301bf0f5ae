package io.millrace.operators.adapt;

import io.millrace.schemas.ReadyBatch;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.formats.avro.typeutils.AvroTypeInfo;
import org.apache.flink.runtime.state.KeyedStateBackend;
import org.apache.flink.runtime.state.VoidNamespace;

/**
 * The closed batches of a subtask that wait for their steps: in keyed state, and in a queue that
 * says which trains next.
 *
 * <p>State holds of each batch a count, and why it closed; the examples stay where {@link
 * PendingBatches} gathered them. A batch that trains as soon as it closes is never written here.
 * Since every record, timer and group ends with {@link #mark}, a snapshot between two of them holds
 * all that is ready, and no snapshot waits for a step. After a restore the queue is made from state
 * again, in the order of the keys there; the order of domains decides nothing.
 */
final class ReadyBatches {
  private static final String NAME = "ready-batches";

  private final ListState<ReadyBatch> state;
  private final ReadyQueue queue;

  /** How many batches state holds of a domain, for all that wait: fewer than a group's tokens. */
  private final Map<String, Integer> marked = new HashMap<>();

  /**
   * @param together whether several steps are taken in one pass
   */
  ReadyBatches(RuntimeContext context, AdaptSettings.Groups groups, BooleanSupplier together) {
    state =
        context.getListState(new ListStateDescriptor<>(NAME, new AvroTypeInfo<>(ReadyBatch.class)));
    queue = new ReadyQueue(groups, together);
  }

  /** Fills the queue with what state holds. Changes the current key. */
  void restore(KeyedStateBackend<String> keys) throws Exception {
    List<String> domains;
    try (Stream<String> stored = keys.getKeys(NAME, VoidNamespace.INSTANCE)) {
      domains = stored.toList();
    }
    for (String domain : domains) {
      keys.setCurrentKey(domain);
      for (ReadyBatch batch : state.get()) {
        queue.add(domain, batch);
      }
      marked.put(domain, queue.of(domain).size());
      queue.seen(domain);
    }
  }

  ReadyQueue queue() {
    return queue;
  }

  /** Writes what is ready of the current domain, where state does not hold it. */
  void mark(String domain) throws Exception {
    List<ReadyBatch> ready = queue.of(domain);
    int held = marked.getOrDefault(domain, 0);
    if (ready.size() == held) {
      return;
    }
    if (ready.isEmpty()) {
      state.clear();
      marked.remove(domain);
    } else {
      state.update(ready);
      marked.put(domain, ready.size());
    }
  }
}
