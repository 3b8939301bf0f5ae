package io.millrace.benchmarks.model;

import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.method.FullFineTuning;
import io.millrace.svft.method.Lora;
import io.millrace.svft.method.Svft;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.model.EncoderWeight;
import io.millrace.svft.model.WeightRole;

/**
 * The floating-point operations of the fewest matrix products that a method's training step needs
 * at some hundred tokens a batch, whatever a formulation spends on top: real tokens only, each
 * multiplication with its addition two operations. Left out are attention's products (about 1 % at
 * these lengths), the head's, and M's own, which are sparse.
 *
 * <p>Multiplications per token and linear weight W [out, in], with n = min(out, in), r LoRA's rank:
 *
 * <pre>
 *          forward                backward, parameters   backward, the weight's input
 *   svft   n in + n out           n out                  n in
 *   lora   in out + r (in + out)  r (in + 2 out)         in out + r in
 *   full   in out                 in out                 in out
 *   head   in out                 0                      0
 * </pre>
 *
 * <p>A step does not need the gradient of the input of layer 0's query, key and value.
 */
public final class StepCost {
  private StepCost() {}

  /** Operations per token of the forward pass. */
  public static long forward(EncoderConfig config, AdapterMethod method) {
    long products = 0;
    for (EncoderWeight w : config.weights()) {
      long dense = (long) w.in() * w.out();
      long sides = w.in() + w.out();
      if (method instanceof Svft) {
        products += w.rank() * sides;
      } else if (method instanceof Lora lora) {
        products += dense + lora.rank() * sides;
      } else {
        products += dense;
      }
    }
    return 2 * products;
  }

  /** Operations per token of the backward pass. */
  public static long backward(EncoderConfig config, AdapterMethod method) {
    long products = 0;
    for (EncoderWeight w : config.weights()) {
      boolean first = w.layer() == 0 && w.role().compareTo(WeightRole.VALUE) <= 0;
      long toInput = first ? 0 : 1;
      long dense = (long) w.in() * w.out();
      if (method instanceof Svft) {
        products += (long) w.rank() * w.out() + toInput * w.rank() * w.in();
      } else if (method instanceof Lora lora) {
        products +=
            (long) lora.rank() * (w.in() + 2 * w.out())
                + toInput * (dense + (long) lora.rank() * w.in());
      } else if (method instanceof FullFineTuning) {
        products += dense + toInput * dense;
      }
    }
    return 2 * products;
  }
}
