package io.millrace.svft.task;

import java.util.Arrays;

/**
 * The layout of a head, [labels, hidden + 1], row-major: each row holds a label's weights, then its
 * bias.
 */
public final class Head {
  private Head() {}

  /** Copies the weights of a head, [labels, hidden]. */
  public static float[] weights(float[] head, int hidden) {
    int labels = head.length / (hidden + 1);
    float[] weights = new float[labels * hidden];
    for (int i = 0; i < labels; i++) {
      System.arraycopy(head, i * (hidden + 1), weights, i * hidden, hidden);
    }
    return weights;
  }

  /** Copies the biases of a head, [labels]. */
  public static float[] biases(float[] head, int hidden) {
    float[] biases = new float[head.length / (hidden + 1)];
    for (int i = 0; i < biases.length; i++) {
      biases[i] = head[i * (hidden + 1) + hidden];
    }
    return biases;
  }

  /** Splits a row-major array [rows, width] into its rows. */
  public static float[][] rows(float[] flat, int width) {
    float[][] rows = new float[flat.length / width][];
    for (int i = 0; i < rows.length; i++) {
      rows[i] = Arrays.copyOfRange(flat, i * width, (i + 1) * width);
    }
    return rows;
  }

  /**
   * Joins weights [labels, hidden] and biases [labels] into a head: the inverse of {@link #weights}
   * and {@link #biases}.
   */
  public static float[] join(float[] weights, float[] biases, int hidden) {
    float[] head = new float[biases.length * (hidden + 1)];
    for (int i = 0; i < biases.length; i++) {
      System.arraycopy(weights, i * hidden, head, i * (hidden + 1), hidden);
      head[i * (hidden + 1) + hidden] = biases[i];
    }
    return head;
  }
}
