package io.millrace.inference;

import java.util.NavigableSet;
import java.util.Optional;
import java.util.function.LongPredicate;

/** Which of a domain's versions serves: the newest that can. */
final class ServingRule {
  private ServingRule() {}

  /**
   * @param versions the domain's versions in the local store
   * @param canServe false for one that was tried and refused
   */
  static Optional<Long> choose(NavigableSet<Long> versions, LongPredicate canServe) {
    return versions.descendingSet().stream().filter(canServe::test).findFirst();
  }
}
