package io.millrace.operators.evidence;

import java.io.Serializable;

/**
 * A sequential test of which of two versions is correct more often. It counts the examples on which
 * exactly one of them is correct: a win where it is the candidate, a loss where it is the other.
 * The test may be evaluated after every example and keeps its error rates: see {@link
 * MixtureEvidence} and {@link MarginEvidence}.
 *
 * <p>The error rates are those of one test. They hold where the hypothesis holds for every example,
 * given those before it; they do not depend on how often the versions differ or how accurate they
 * are.
 *
 * @param rollbackError largest probability of judging a candidate worse that is at least as
 *     accurate as the other
 * @param promoteError largest probability of judging a candidate better whose accuracy is lower
 *     than the other's by the margin or more
 * @param margin by which the candidate's accuracy may be lower and still count as better, as a
 *     share of the examples. 0 asks whether the candidate is better; above 0 the test is one for
 *     non-inferiority
 * @param limit number of examples after which the test ends without a result
 */
public record PairedTest(double rollbackError, double promoteError, double margin, long limit)
    implements Serializable {
  /** The result for the examples so far. */
  enum Verdict {
    /** No result yet; more examples may give one. */
    OPEN,
    /** The candidate is better, or not worse by more than the margin. */
    BETTER,
    /** The candidate is worse. */
    WORSE,
    /** No result within the limit. */
    INCONCLUSIVE
  }

  /**
   * @throws IllegalArgumentException where a rate is not between 0 and 1, the margin not in [0, 1)
   *     or the limit not positive
   */
  public PairedTest {
    requireRate("rollbackError", rollbackError);
    requireRate("promoteError", promoteError);
    if (!(margin >= 0 && margin < 1)) {
      throw new IllegalArgumentException("margin must be from 0 to below 1, is " + margin);
    }
    if (limit < 1) {
      throw new IllegalArgumentException("limit must be positive, is " + limit);
    }
  }

  private static void requireRate(String name, double value) {
    if (!(value > 0 && value < 1)) {
      throw new IllegalArgumentException(name + " must be above 0 and below 1, is " + value);
    }
  }

  /**
   * The result for counts of examples.
   *
   * @param wins examples on which only the candidate is correct
   * @param losses examples on which only the other is correct
   * @param examples all examples that both versions have answered
   */
  Verdict verdict(long wins, long losses, long examples) {
    // With a margin both results are possible; the safe one comes first.
    if (MixtureEvidence.log(losses, wins, 0.5) >= -Math.log(rollbackError)) {
      return Verdict.WORSE;
    }
    double better =
        margin == 0
            ? MixtureEvidence.log(wins, losses, 0.5)
            : MarginEvidence.log(wins, losses, examples - wins - losses, margin);
    if (better >= -Math.log(promoteError)) {
      return Verdict.BETTER;
    }
    return examples >= limit ? Verdict.INCONCLUSIVE : Verdict.OPEN;
  }
}
