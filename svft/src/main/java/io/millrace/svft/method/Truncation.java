package io.millrace.svft.method;

import io.millrace.svft.model.EncoderWeight;
import io.millrace.svft.model.ModelException;
import io.millrace.svft.model.ModelFiles;
import io.millrace.svft.tensor.Safetensors;
import io.millrace.svft.tensor.SafetensorsException;
import java.io.IOException;
import java.util.Optional;

/**
 * Measures what truncating the basis to its leading singular directions removes from the weights.
 * For M = 0, W' = U_r (Σ_r + M) V_rᵀ differs from W, so version 0 differs from the base model.
 */
final class Truncation {
  private Truncation() {}

  /**
   * The warning to show before training. It gives the share of the squared Frobenius norm that is
   * cut off, over all adapted weights and for the worst one.
   *
   * @return one sentence; empty if nothing is cut off
   * @throws ModelException if the basis cannot be read
   */
  static Optional<String> warning(ModelFiles model, Svft svft) {
    double lostOfAll = 0;
    double all = 0;
    double worst = 0;
    EncoderWeight worstWeight = null;
    int largest = 0;
    try {
      Safetensors basis = Safetensors.open(model.basis());
      for (AdapterLayout.Part part : AdapterLayout.of(model.config(), svft).parts()) {
        float[] sigma = basis.floats(part.weight().name() + ".S", part.weight().rank());
        double lost = 0;
        double total = 0;
        for (int k = 0; k < sigma.length; k++) {
          double square = (double) sigma[k] * sigma[k];
          total += square;
          lost += k < part.n() ? 0 : square;
        }
        largest = Math.max(largest, sigma.length);
        lostOfAll += lost;
        all += total;
        if (lost / total > worst) {
          worst = lost / total;
          worstWeight = part.weight();
        }
      }
    } catch (IOException | SafetensorsException e) {
      throw new ModelException("base model " + model.name() + ": " + e.getMessage(), e);
    }
    if (worstWeight == null) {
      return Optional.empty();
    }
    return Optional.of(
        ("svft.rank=%d keeps %d of up to %d singular directions and so cuts %.1f %% off the adapted"
                + " weights (share of their squared Frobenius norm), %.1f %% off %s: predictions"
                + " start from a changed base model")
            .formatted(
                svft.rank(),
                svft.rank(),
                largest,
                100 * lostOfAll / all,
                100 * worst,
                worstWeight.name()));
  }
}
