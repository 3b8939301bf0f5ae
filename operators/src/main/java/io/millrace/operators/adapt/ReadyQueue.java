package io.millrace.operators.adapt;

import io.millrace.schemas.ReadyBatch;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;

/**
 * The order in which closed batches train, and which train together.
 *
 * <p>A small batch has too few rows to fill a pass through the model. So the batches of several
 * domains go through it together, as a <em>group</em>. Domains stand in a queue; a group takes the
 * first batch of each, from the front, until it has as many tokens as are set. A domain that has
 * more batches ready then goes to the end. So a group holds at most one batch of a domain, and a
 * domain with many does not hold up the others. Which batches train together changes no bit of a
 * step, so here a clock may decide.
 *
 * <p>A group is due as soon as waiting cannot make it cheaper:
 *
 * <ul>
 *   <li>the ready batches have as many tokens as a group takes;
 *   <li>a domain has two of them: the second cannot train before the first has;
 *   <li>this task has seen one domain only;
 *   <li>the process takes each step by itself, see {@link DomainTrainer#groups};
 *   <li>batches wait for nothing, by their setting.
 * </ul>
 *
 * <p>Otherwise the longest wait that is set ends it. Between two records no group is due, so each
 * domain has at most one batch here, and together they have fewer tokens than a group: that bounds
 * the queue, whatever the number of domains.
 *
 * <p>This is an index only. What is ready stands in keyed state, see {@link ReadyBatches}.
 */
final class ReadyQueue {
  private final AdaptSettings.Groups groups;
  private final BooleanSupplier together;
  private final Map<String, Deque<ReadyBatch>> domains = new LinkedHashMap<>();
  private String first;
  private boolean several;
  private long tokens;

  /** Batches that cannot train before another of their domain. */
  private int second;

  /**
   * @param together whether several steps are taken in one pass; asked where it decides only
   */
  ReadyQueue(AdaptSettings.Groups groups, BooleanSupplier together) {
    this.groups = groups;
    this.together = together;
  }

  /** Notes that the task has examples of a domain. */
  void seen(String domain) {
    if (first == null) {
      first = domain;
    } else if (!several && !first.equals(domain)) {
      several = true;
    }
  }

  /** Adds a domain's next batch. */
  void add(String domain, ReadyBatch batch) {
    Deque<ReadyBatch> batches = domains.computeIfAbsent(domain, key -> new ArrayDeque<>(2));
    batches.add(batch);
    tokens += batch.getTokens();
    second += batches.size() > 1 ? 1 : 0;
  }

  boolean isEmpty() {
    return domains.isEmpty();
  }

  /** Whether any of a domain's batches is ready. */
  boolean has(String domain) {
    return domains.containsKey(domain);
  }

  /** The ready batches of a domain, the first to train first. */
  List<ReadyBatch> of(String domain) {
    Deque<ReadyBatch> batches = domains.get(domain);
    return batches == null ? List.of() : List.copyOf(batches);
  }

  /** Whether waiting would make the next group no cheaper. */
  boolean isDue() {
    return !isEmpty()
        && (tokens >= groups.tokens()
            || second > 0
            || !several
            || groups.longestWait().isZero()
            || !together.getAsBoolean());
  }

  /** Takes the domains of the next group, each with its batch, in order. */
  List<Map.Entry<String, ReadyBatch>> take() {
    List<Map.Entry<String, ReadyBatch>> group = new ArrayList<>();
    Map<String, Deque<ReadyBatch>> again = new LinkedHashMap<>();
    long taken = 0;
    Iterator<Map.Entry<String, Deque<ReadyBatch>>> queue = domains.entrySet().iterator();
    while (queue.hasNext() && taken < groups.tokens()) {
      Map.Entry<String, Deque<ReadyBatch>> next = queue.next();
      queue.remove();
      Deque<ReadyBatch> batches = next.getValue();
      ReadyBatch batch = batches.remove();
      second -= batches.isEmpty() ? 0 : 1;
      taken += batch.getTokens();
      group.add(Map.entry(next.getKey(), batch));
      if (!batches.isEmpty()) {
        again.put(next.getKey(), batches);
      }
    }
    domains.putAll(again);
    tokens -= taken;
    return group;
  }
}
