package io.millrace.operators.adapt;

import io.millrace.schemas.ReceivedExample;
import io.millrace.schemas.RecordError;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.BiConsumer;

/**
 * Bounds the labels of a domain: each is a row of the head, in every version. An example with a
 * label beyond the limit is not trained on. Which ones these are follows from the state and the
 * batch alone.
 *
 * @param labels most labels of a domain
 */
record LabelLimit(int labels) implements Serializable {
  /**
   * The examples of a batch to train on, in order.
   *
   * @param known labels that the state has; they stay even if they are more than the limit
   * @param refused receives each of the other examples, with the reason
   */
  List<ReceivedExample> within(
      List<String> known,
      List<ReceivedExample> batch,
      BiConsumer<ReceivedExample, RecordError> refused) {
    if (known.size() + batch.size() <= labels) {
      return batch;
    }
    Set<String> all = new HashSet<>(known);
    List<ReceivedExample> within = new ArrayList<>();
    for (ReceivedExample example : batch) {
      String label = example.getExample().getLabel();
      if (all.contains(label) || all.size() < labels) {
        all.add(label);
        within.add(example);
      } else {
        refused.accept(example, error(all.size()));
      }
    }
    return within;
  }

  private RecordError error(int has) {
    return new RecordError(
        "TooManyLabels",
        "the domain has %d labels, and this is another one; limits.labels allows %d"
            .formatted(has, labels));
  }
}
