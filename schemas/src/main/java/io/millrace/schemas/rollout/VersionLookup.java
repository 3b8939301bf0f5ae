package io.millrace.schemas.rollout;

import io.millrace.schemas.VersionRef;
import java.util.Map;
import java.util.NavigableMap;

/**
 * The versions of a domain that are published and not pruned, as a decision needs them: a few,
 * found by their numbers. There may be many more than are to be held in memory.
 */
public interface VersionLookup {
  /** The version of that number; null where there is none. */
  VersionRef find(long number);

  /** The one with the greatest number; null where there is none. */
  VersionRef newest();

  /** The one with the smallest number; null where there is none. */
  VersionRef oldest();

  /** The one with the greatest number below this one; null where there is none. */
  VersionRef before(long number);

  /** How many there are; may take long. */
  long count();

  /** Looks them up in a map by number. */
  static VersionLookup of(NavigableMap<Long, VersionRef> versions) {
    return new VersionLookup() {
      @Override
      public VersionRef find(long number) {
        return versions.get(number);
      }

      @Override
      public VersionRef newest() {
        return value(versions.lastEntry());
      }

      @Override
      public VersionRef oldest() {
        return value(versions.firstEntry());
      }

      @Override
      public VersionRef before(long number) {
        return value(versions.lowerEntry(number));
      }

      @Override
      public long count() {
        return versions.size();
      }

      private static VersionRef value(Map.Entry<Long, VersionRef> entry) {
        return entry == null ? null : entry.getValue();
      }
    };
  }
}
