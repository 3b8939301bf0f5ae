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

  /**
   * The standard error of {@link #of}. Of a single domain that of a share of independent examples,
   * √(p (1 − p) / n). Of several it is clustered by domain, since a domain's examples are right or
   * wrong together: √(D / (D − 1) Σ (r − p n)²) / N, over D domains with r of n examples right, N
   * in all.
   *
   * @return 0 where that part holds no example
   */
  public static double standardError(Collection<boolean[]> domains, int part, int parts) {
    double accuracy = of(domains, part, parts);
    long all = 0;
    int clusters = 0;
    double squares = 0;
    for (boolean[] correct : domains) {
      long examples = 0;
      double residual = 0;
      int to = (int) ((long) correct.length * (part + 1) / parts);
      for (int i = (int) ((long) correct.length * part / parts); i < to; i++) {
        residual += (correct[i] ? 1 : 0) - accuracy;
        examples++;
      }
      clusters += examples > 0 ? 1 : 0;
      squares += residual * residual;
      all += examples;
    }
    if (clusters < 2) {
      return all == 0 ? 0 : Math.sqrt(accuracy * (1 - accuracy) / all);
    }
    return Math.sqrt(squares * clusters / (clusters - 1)) / all;
  }
}
