package io.millrace.benchmarks.domains;

import io.millrace.schemas.OffsetRun;
import io.millrace.schemas.TrainingStep;
import java.util.BitSet;
import java.util.Map;
import java.util.TreeMap;

/** Which examples the steps on record have trained on, and how often. */
final class TrainedOnce {
  private final Map<Integer, BitSet> trained = new TreeMap<>();
  private long twice;
  private long never;

  void add(TrainingStep step) {
    for (OffsetRun run : step.getBatch()) {
      BitSet offsets = trained.computeIfAbsent(run.getPartition(), partition -> new BitSet());
      for (int i = 0; i < run.getCount(); i++) {
        int offset = Math.toIntExact(run.getFirstOffset() + i);
        if (offsets.get(offset)) {
          twice++;
        }
        offsets.set(offset);
      }
    }
  }

  /** An example in the topic; all steps are added before. */
  void expect(int partition, long offset) {
    BitSet offsets = trained.get(partition);
    if (offsets == null || !offsets.get(Math.toIntExact(offset))) {
      never++;
    }
  }

  /** How often an example was trained on that had been before. */
  long twice() {
    return twice;
  }

  /** Examples that no step has. */
  long never() {
    return never;
  }
}
