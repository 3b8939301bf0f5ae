package io.millrace.svft.method;

import java.util.Arrays;

/**
 * The positions that a gradient pattern chose, and the share of the learning rate for the value at
 * each.
 *
 * <p>AdamW moves every value by about the learning rate, independent of the size of its gradient. A
 * position with ten times the gradient therefore changes the loss ten times as much. Shares in
 * inverse proportion to the scores give the same effect to all positions whose score exceeds the
 * mean.
 *
 * @param positions [size]: flat row-major positions, weight after weight
 * @param shares [size]: the mean score of the weight divided by the position's score, at most 1
 */
public record ScoredPositions(int[] positions, float[] shares) {

  /** The number of scores of a layout: n² for each adapted weight. */
  public static int scores(AdapterLayout layout) {
    return layout.parts().stream().mapToInt(part -> part.n() * part.n()).sum();
  }

  /**
   * Chooses the positions with the largest scores of each weight.
   *
   * @param layout of the adapted weights
   * @param pattern the gradient pattern
   * @param scores per adapted weight [n, n], row-major: |∂L/∂M| summed over batches
   * @throws IllegalArgumentException if a score is negative or not finite
   */
  public static ScoredPositions choose(AdapterLayout layout, Pattern pattern, float[] scores) {
    int[] positions = new int[layout.size()];
    float[] shares = new float[layout.size()];
    int at = 0;
    for (AdapterLayout.Part part : layout.parts()) {
      int places = part.n() * part.n();
      float[] own = Arrays.copyOfRange(scores, at, at + places);
      AdapterLayout.record(pattern.choose(own, part.n()), part, positions);
      double mean = 0;
      for (int i = 0; i < places; i++) {
        mean += own[i] / (double) places;
      }
      for (int k = part.offset(); k < part.offset() + part.size(); k++) {
        double score = own[positions[k]];
        shares[k] = (float) (score > mean ? mean / score : 1);
      }
      at += places;
    }
    return new ScoredPositions(positions, shares);
  }
}
