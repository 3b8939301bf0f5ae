package io.millrace.operators.evidence;

import io.millrace.schemas.EvidenceExample;
import io.millrace.schemas.EvidenceState;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.formats.avro.typeutils.AvroTypeInfo;

/**
 * The examples of a domain that a comparison of now or later may need, in keyed state, numbered as
 * they arrived. Three counters of {@link EvidenceState} divide them: those before {@code
 * firstExample} are dropped, those before {@code compared} have been compared, and {@code
 * nextExample} is the number of the next one to arrive.
 *
 * <p>All methods apply to the domain that is Flink's current key, whose state they are given.
 */
final class KeptExamples {
  private final MapState<Long, EvidenceExample> examples;

  KeptExamples(RuntimeContext context) {
    examples =
        context.getMapState(
            new MapStateDescriptor<>(
                "examples", Types.LONG, new AvroTypeInfo<>(EvidenceExample.class)));
  }

  void add(EvidenceExample example, EvidenceState state) throws Exception {
    examples.put(state.getNextExample(), example);
    state.setNextExample(state.getNextExample() + 1);
  }

  /** Examples that have arrived and are not compared yet. */
  static long notCompared(EvidenceState state) {
    return state.getNextExample() - state.getCompared();
  }

  /**
   * Examples to compare next.
   *
   * @param end number of the first example after them: the state's {@code compared} once they are
   */
  record Batch(List<EvidenceExample> examples, long end) {}

  /**
   * The next examples that are not compared yet.
   *
   * @param atMost of them
   * @param usable whether a comparison may use an example; others are skipped
   */
  Batch next(int atMost, Predicate<EvidenceExample> usable, EvidenceState state) throws Exception {
    List<EvidenceExample> batch = new ArrayList<>();
    long next = Math.max(state.getCompared(), state.getFirstExample());
    while (next < state.getNextExample() && batch.size() < atMost) {
      EvidenceExample example = examples.get(next);
      next++;
      if (usable.test(example)) {
        batch.add(example);
      }
    }
    return new Batch(batch, next);
  }

  /** Drops the examples whose number is below {@code from}. */
  void dropBefore(long from, EvidenceState state) throws Exception {
    for (long number = state.getFirstExample(); number < from; number++) {
      examples.remove(number);
    }
    state.setFirstExample(Math.max(from, state.getFirstExample()));
  }

  void dropAll(EvidenceState state) {
    examples.clear();
    state.setFirstExample(state.getNextExample());
  }
}
