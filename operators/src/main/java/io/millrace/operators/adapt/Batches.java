package io.millrace.operators.adapt;

import io.millrace.schemas.OffsetRun;
import io.millrace.schemas.ReceivedExample;
import java.util.ArrayList;
import java.util.List;

/** A batch as the record of its step names it. */
final class Batches {
  private Batches() {}

  /** The examples' positions in order, neighbours in a partition joined into one run. */
  static List<OffsetRun> runs(List<ReceivedExample> batch) {
    List<OffsetRun> runs = new ArrayList<>();
    for (ReceivedExample example : batch) {
      OffsetRun last = runs.isEmpty() ? null : runs.get(runs.size() - 1);
      if (last != null
          && last.getPartition() == example.getPartition()
          && last.getFirstOffset() + last.getCount() == example.getOffset()) {
        last.setCount(last.getCount() + 1);
      } else {
        runs.add(new OffsetRun(example.getPartition(), example.getOffset(), 1));
      }
    }
    return runs;
  }
}
