package io.millrace.pipeline.report;

import java.util.Collection;

/**
 * The share of examples whose label was predicted before they were trained on (prequential
 * evaluation; Dawid, 1984).
 */
public final class PrequentialAccuracy {
  private PrequentialAccuracy() {}

  /**
   * Over one of {@code parts} equal parts of each domain's stream, domains pooled.
   *
   * @param domains per domain and example, in the order of training, whether it was predicted
   * @param part from 0
   * @return 0 where that part holds no example
   */
  public static double of(Collection<boolean[]> domains, int part, int parts) {
    long right = 0;
    long all = 0;
    for (boolean[] correct : domains) {
      int to = (int) ((long) correct.length * (part + 1) / parts);
      for (int i = (int) ((long) correct.length * part / parts); i < to; i++) {
        right += correct[i] ? 1 : 0;
        all++;
      }
    }
    return all == 0 ? 0 : (double) right / all;
  }
}
