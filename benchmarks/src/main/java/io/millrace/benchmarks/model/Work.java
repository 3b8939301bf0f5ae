package io.millrace.benchmarks.model;

import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;

/** Counters of work done, which JMH reports per second. */
@AuxCounters(AuxCounters.Type.OPERATIONS)
@State(Scope.Thread)
public class Work {
  public long examples;

  /** Tokens without padding. */
  public long tokens;

  /** Floating-point operations. */
  public long flop;

  public void add(long examples, long tokens, long flop) {
    this.examples += examples;
    this.tokens += tokens;
    this.flop += flop;
  }
}
