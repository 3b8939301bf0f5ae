package io.millrace.inference.serving;

/**
 * Whether a domain's versions are to wait to be merged before they serve. Where processors are so
 * short that some waited in vain, the next ones do not wait: twice as many each time.
 */
final class Patience {
  private static final int MOST = 16;

  private int impatient;
  private int next = 1;

  /** Whether the version at hand is to wait; each call is for one version. */
  boolean isWorthIt() {
    if (impatient == 0) {
      return true;
    }
    impatient--;
    return false;
  }

  /** A version was merged in time, whether it waited or not. */
  void wasRewarded() {
    impatient = 0;
    next = 1;
  }

  /** A version waited and was not merged. */
  void wasInVain() {
    impatient = next;
    next = Math.min(2 * next, MOST);
  }
}
