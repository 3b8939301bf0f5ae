package io.millrace.svft.method;

import java.util.Arrays;

/**
 * The positions that a gradient pattern chose, and by how much of the rate each value moves.
 *
 * <p>AdamW moves every value by about the rate, whatever its gradient, and a place with ten times
 * the gradient changes the loss ten times as much. Shares in inverse proportion to a place's score
 * give all places the same effect.
 *
 * @param positions [size]: flat row-major places, weight after weight
 * @param shares [size], at most 1: the mean score of the weight over the place's own
 */
public record ScoredPositions(int[] positions, float[] shares) {

  /** How many scores a layout has: n² for each adapted weight. */
  public static int scores(AdapterLayout layout) {
    return layout.parts().stream().mapToInt(part -> part.n() * part.n()).sum();
  }

  /**
   * Chooses the places with the largest scores.
   *
   * @param pattern the gradient pattern
   * @param scores per adapted weight [n, n]: summed magnitudes of ∂L/∂M
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
