package io.millrace.svft.task;

import java.util.Arrays;

/** Layout of a classification head: [labels, hidden + 1], each row its weights, then its bias. */
public final class Head {
  private Head() {}

  /** [labels, hidden]. */
  public static float[] weights(float[] head, int hidden) {
    int labels = head.length / (hidden + 1);
    float[] weights = new float[labels * hidden];
    for (int i = 0; i < labels; i++) {
      System.arraycopy(head, i * (hidden + 1), weights, i * hidden, hidden);
    }
    return weights;
  }

  /** [labels]. */
  public static float[] biases(float[] head, int hidden) {
    float[] biases = new float[head.length / (hidden + 1)];
    for (int i = 0; i < biases.length; i++) {
      biases[i] = head[i * (hidden + 1) + hidden];
    }
    return biases;
  }

  /** A row-major [rows, width], row by row. */
  public static float[][] rows(float[] flat, int width) {
    float[][] rows = new float[flat.length / width][];
    for (int i = 0; i < rows.length; i++) {
      rows[i] = Arrays.copyOfRange(flat, i * width, (i + 1) * width);
    }
    return rows;
  }

  /** The inverse of {@link #weights} and {@link #biases}. */
  public static float[] join(float[] weights, float[] biases, int hidden) {
    float[] head = new float[biases.length * (hidden + 1)];
    for (int i = 0; i < biases.length; i++) {
      System.arraycopy(weights, i * hidden, head, i * (hidden + 1), hidden);
      head[i * (hidden + 1) + hidden] = biases[i];
    }
    return head;
  }
}
