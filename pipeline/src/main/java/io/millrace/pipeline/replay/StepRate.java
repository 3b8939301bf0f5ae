package io.millrace.pipeline.replay;

/** Examples per second, from the end of the first step to that of the last. */
final class StepRate {
  private long examples;
  private long examplesOfFirst;
  private long steps;
  private long firstEnd;
  private long lastEnd;

  void step(int count) {
    lastEnd = System.nanoTime();
    examples += count;
    steps++;
    if (steps == 1) {
      firstEnd = lastEnd;
      examplesOfFirst = count;
    }
  }

  long steps() {
    return steps;
  }

  long examples() {
    return examples;
  }

  /** 0 for less than two steps. */
  double perSecond() {
    return lastEnd == firstEnd ? 0 : (examples - examplesOfFirst) * 1e9 / (lastEnd - firstEnd);
  }
}
