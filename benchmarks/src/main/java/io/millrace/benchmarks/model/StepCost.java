package io.millrace.benchmarks.model;

import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.method.Boft;
import io.millrace.svft.method.Dora;
import io.millrace.svft.method.FullFineTuning;
import io.millrace.svft.method.HeadOnly;
import io.millrace.svft.method.Hra;
import io.millrace.svft.method.Ia3;
import io.millrace.svft.method.Lora;
import io.millrace.svft.method.LoraXs;
import io.millrace.svft.method.Oft;
import io.millrace.svft.method.Pissa;
import io.millrace.svft.method.Svf;
import io.millrace.svft.method.Svft;
import io.millrace.svft.method.Vera;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.model.EncoderWeight;
import io.millrace.svft.model.WeightRole;

/**
 * The floating-point operations of the fewest matrix products that a method's training step needs
 * at some hundred tokens a batch, whatever a formulation spends on top: real tokens only, each
 * multiplication with its addition two operations. Left out are attention's products (about 1 % at
 * these lengths), the head's, M's own, which are sparse, and what is computed once a step.
 *
 * <p>Multiplications per token and linear weight W [out, in], with n = min(out, in), r a method's
 * rank, k the rows of all its blocks:
 *
 * <pre>
 *                     forward                 backward, parameters       backward, the weight's input
 *   svft, svf         n in + n out            n out                      n in
 *   lora, pissa, dora in out + r (in + out)   r (in + 2 out)             in out + r in
 *   vera              in out + r (in + out)   r out                      in out + r in
 *   lora-xs           in out + r (in + out)   r out                      in out + r in
 *                     + r r                   + r r                      + r r
 *   oft, boft         in out + k in           in out + k in              k in
 *   hra               in out + 2 r in + r r   in out + 3 r in + 3 r r    r in
 *   ia3, bias         in out                  0                          in out
 *   full              in out                  in out                     in out
 *   head              in out                  0                          0
 * </pre>
 *
 * <p>Scaled inputs need the gradient of the weight's input as that of their parameters. A step does
 * not need the gradient of the input of layer 0's query, key and value.
 */
public final class StepCost {
  private StepCost() {}

  /** Operations per token of the forward pass. */
  public static long forward(EncoderConfig config, AdapterMethod method) {
    long products = 0;
    for (EncoderWeight w : config.weights()) {
      products += forward(w, method);
    }
    return 2 * products;
  }

  private static long forward(EncoderWeight w, AdapterMethod method) {
    long dense = (long) w.in() * w.out();
    long sides = w.in() + w.out();
    long r = rank(w, method);
    if (method instanceof Svft || method instanceof Svf) {
      return w.rank() * sides;
    } else if (method instanceof LoraXs) {
      return dense + r * (sides + r);
    } else if (method instanceof Oft || method instanceof Boft) {
      return dense + r * w.in();
    } else if (method instanceof Hra) {
      return dense + r * (2L * w.in() + r);
    }
    return dense + r * sides;
  }

  /** Operations per token of the backward pass. */
  public static long backward(EncoderConfig config, AdapterMethod method) {
    long products = 0;
    for (EncoderWeight w : config.weights()) {
      boolean first = w.layer() == 0 && w.role().compareTo(WeightRole.VALUE) <= 0;
      products += parameters(w, method) + (first ? 0 : input(w, method));
    }
    return 2 * products;
  }

  private static long parameters(EncoderWeight w, AdapterMethod method) {
    long dense = (long) w.in() * w.out();
    long r = rank(w, method);
    if (method instanceof Svft || method instanceof Svf) {
      return (long) w.rank() * w.out();
    } else if (method instanceof FullFineTuning || scalesInputs(w, method)) {
      return dense;
    } else if (method instanceof Vera) {
      return r * w.out();
    } else if (method instanceof LoraXs) {
      return r * (w.out() + r);
    } else if (method instanceof Oft || method instanceof Boft) {
      return dense + r * w.in();
    } else if (method instanceof Hra) {
      return dense + 3 * r * (w.in() + r);
    }
    return r * (w.in() + 2L * w.out());
  }

  private static long input(EncoderWeight w, AdapterMethod method) {
    long dense = (long) w.in() * w.out();
    long r = rank(w, method);
    if (method instanceof HeadOnly || scalesInputs(w, method)) {
      return 0;
    } else if (method instanceof Svft || method instanceof Svf) {
      return (long) w.rank() * w.in();
    } else if (method instanceof Oft || method instanceof Boft || method instanceof Hra) {
      return r * w.in();
    } else if (method instanceof LoraXs) {
      return dense + r * (w.in() + r);
    }
    return dense + r * w.in();
  }

  private static boolean scalesInputs(EncoderWeight w, AdapterMethod method) {
    return method instanceof Ia3
        && w.role() == WeightRole.OUTPUT
        && method.weights().contains(w.role());
  }

  /** Rank, or rows of the blocks of all factors; 0 for a method without. */
  private static long rank(EncoderWeight w, AdapterMethod method) {
    if (method instanceof Lora lora) {
      return lora.rank();
    } else if (method instanceof Pissa pissa) {
      return Math.min(pissa.rank(), w.rank());
    } else if (method instanceof Dora dora) {
      return dora.rank();
    } else if (method instanceof Vera vera) {
      return vera.rank();
    } else if (method instanceof LoraXs xs) {
      return Math.min(xs.rank(), w.rank());
    } else if (method instanceof Oft oft) {
      return oft.block();
    } else if (method instanceof Boft boft) {
      return (long) boft.block() * boft.factors();
    } else if (method instanceof Hra hra) {
      return hra.rank();
    }
    return 0;
  }
}
