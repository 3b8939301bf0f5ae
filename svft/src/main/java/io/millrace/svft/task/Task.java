package io.millrace.svft.task;

import java.io.Serializable;
import java.util.Collection;
import java.util.List;

/**
 * A task: what a model is trained to answer. It defines the labels, the loss, the score and the
 * prediction.
 *
 * <p>The head gives one output per label. A piece of the engine's program, {@link #id}, computes
 * the loss and its gradient. The task gives it the targets.
 */
public sealed interface Task extends Serializable permits Classification {

  /**
   * The name of the task. The engine's program has a method of this name, which scores a slice and
   * computes its gradients.
   */
  String id();

  /**
   * Adds the new labels of a batch.
   *
   * @param known the labels before the batch, in the order of the head's rows
   * @param answers the answers in the batch
   * @return {@code known}, then the new labels in the order of first appearance
   */
  List<String> labels(List<String> known, Collection<String> answers);

  /**
   * Writes the target of one example, with which the loss compares its outputs.
   *
   * @param labels in the order of the head's rows
   * @param answer the example's answer
   * @param share the example's share of the batch's loss; the shares of a batch sum to 1
   * @param target [examples, labels], row-major; this example's row is zero on entry
   * @param row index of the example
   */
  void target(List<String> labels, String answer, float share, float[] target, int row);

  /**
   * The model's answer.
   *
   * @param outputs one per label
   * @param known the number of labels, from the first, that may be the answer
   * @return index of the best label, the first among equally good ones; −1 if {@code known} is 0
   */
  int answer(float[] outputs, int known);

  /**
   * The model's probability of each label.
   *
   * @param outputs one per label
   * @return one probability per label
   */
  double[] probabilities(float[] outputs);
}
