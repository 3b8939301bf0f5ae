package io.millrace.inference.store;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * How many versions were refused and are not in the store, and the latest of them. They are asked
 * for often; the store may hold very many.
 */
final class RefusalCount {
  private static final int LATEST = 10;

  private final List<Refusal> latest = new ArrayList<>();
  private long count;

  /** A version was refused that had not been. */
  synchronized void add(Refusal refusal) {
    count++;
    remember(refusal);
  }

  /** A version was refused that had been before. */
  synchronized void replace(Refusal refusal) {
    forget(refusal.domain(), refusal.version());
    remember(refusal);
  }

  private void remember(Refusal refusal) {
    latest.add(refusal);
    latest.sort(Comparator.comparing(Refusal::at).reversed());
    if (latest.size() > LATEST) {
      latest.remove(LATEST);
    }
  }

  /**
   * A version is refused no more.
   *
   * @return whether the latest ones are to be found again, with {@link #clear} and {@link #add}
   */
  synchronized boolean remove(String domain, long version) {
    count--;
    return forget(domain, version) && latest.size() < count;
  }

  private boolean forget(String domain, long version) {
    return latest.removeIf(
        refusal -> refusal.version() == version && refusal.domain().equals(domain));
  }

  synchronized void clear() {
    latest.clear();
    count = 0;
  }

  synchronized long count() {
    return count;
  }

  /** At most ten, the latest first. */
  synchronized List<Refusal> latest() {
    return List.copyOf(latest);
  }
}
