package io.millrace.svft.task;

import java.io.Serializable;
import java.util.Collection;
import java.util.List;

/**
 * What a model is trained to answer: its labels, its loss, its score, and what a prediction is.
 *
 * <p>The head gives one output per label. The loss and its gradient are a piece of the engine's
 * program, {@link #program}; a task says what that piece compares the outputs with.
 */
public sealed interface Task extends Serializable permits Classification {

  /** Its name. */
  String id();

  /** The piece of the engine's program that computes the head, the loss and their gradients. */
  String program();

  /**
   * The labels after a batch.
   *
   * @param known those before it, in the order of the head's rows
   * @param answers the batch's
   * @return {@code known}, then what is new in the order of first appearance
   */
  List<String> labels(List<String> known, Collection<String> answers);

  /**
   * Writes what the loss compares one example's outputs with.
   *
   * @param labels in the order of the head's rows
   * @param answer the example's
   * @param share the example's part of the batch's loss; the shares of a batch add up to 1
   * @param target [examples, labels], row-major, zero
   * @param row the example's
   */
  void target(List<String> labels, String answer, float share, float[] target, int row);

  /**
   * The answer that a model gives.
   *
   * @param outputs one per label
   * @param known how many of the labels, from the first, may be the answer
   * @return index of the label; of equally good ones the first; −1 where none is known
   */
  int answer(float[] outputs, int known);

  /**
   * How likely each label is, by the model.
   *
   * @param outputs one per label
   * @return one per label
   */
  double[] probabilities(float[] outputs);
}
