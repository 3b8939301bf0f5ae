package io.millrace.inference.serving;

/**
 * Exponential backoff of waiting for merges: whether a domain's versions are to wait until they are
 * merged before they serve. Where processors are so short that a version waited in vain, the next
 * ones do not wait: twice as many each time, at most {@value #MOST}.
 */
final class MergeBackoff {
  private static final int MOST = 16;

  /** Versions still to come that do not wait. */
  private int skipped;

  private int next = 1;

  /**
   * Decides about the next version. Each call is for one version.
   *
   * @return whether it is to wait
   */
  boolean admitNext() {
    if (skipped == 0) {
      return true;
    }
    skipped--;
    return false;
  }

  /** A version was merged in time, whether it waited or not. */
  void succeeded() {
    skipped = 0;
    next = 1;
  }

  /** A version waited and was not merged in time. */
  void timedOut() {
    skipped = next;
    next = Math.min(2 * next, MOST);
  }
}
