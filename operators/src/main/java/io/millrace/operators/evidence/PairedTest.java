package io.millrace.operators.evidence;

import java.io.Serializable;

/**
 * Which of two versions is right more often? Decided on the examples where exactly one of them is
 * right: a win where it is the candidate, a loss where it is the other. It may be asked after every
 * example, and holds its error rates all the same: see {@link MixtureEvidence} and {@link
 * MarginEvidence}.
 *
 * <p>The error rates are those of one test. They hold as long as no example, given those before it,
 * is on the wrong side in expectation; neither how often the versions differ nor how accurate they
 * are matters.
 *
 * @param rollbackError how often, at most, a candidate that is as accurate as the other, or more,
 *     is judged worse
 * @param promoteError how often, at most, a candidate that is not more accurate than the other less
 *     the margin is judged better
 * @param margin what the candidate's accuracy may be lower by and still count as better, as a share
 *     of the examples. 0 asks whether it is better; above, whether it is not worse by that much (a
 *     test for non-inferiority)
 * @param limit examples after which the question stays open for good
 */
public record PairedTest(double rollbackError, double promoteError, double margin, long limit)
    implements Serializable {
  /** What the examples so far say. */
  public enum Verdict {
    /** Nothing yet: more examples may. */
    OPEN,
    /** The candidate is better, or not worse by more than the margin. */
    BETTER,
    /** The candidate is worse. */
    WORSE,
    /** Nothing within the limit. */
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
   * @param wins pairs in which only the candidate was right
   * @param losses pairs in which only the other was right
   * @param examples all that both versions have answered
   */
  public Verdict verdict(long wins, long losses, long examples) {
    // The safe answer first: with a margin both can be true.
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
