package io.millrace.svft.method;

import ai.djl.ndarray.NDArray;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.tensor.SplitMix64;

/** An adapter's values before the first step: each method then computes what the base does. */
public final class InitialValues {
  private InitialValues() {}

  /**
   * Zero for M; for LoRA B zero and A as PEFT draws it, uniform in ±1/√in (He et al., 2015, with a
   * = √5), by a generator that the weight's name seeds; for full fine-tuning W itself.
   *
   * @return [layout.size()]
   */
  public static float[] of(BaseModel base, AdapterMethod method, AdapterLayout layout) {
    float[] values = new float[layout.size()];
    for (AdapterLayout.Part part : layout.parts()) {
      if (method instanceof AdapterMethod.Lora lora) {
        double bound = 1 / StrictMath.sqrt(part.weight().in());
        SplitMix64 draws = SplitMix64.seededBy(part.weight().name());
        for (int i = 0; i < lora.rank() * part.weight().in(); i++) {
          values[part.offset() + i] = (float) ((2 * draws.nextDouble() - 1) * bound);
        }
      } else if (method instanceof AdapterMethod.FullFineTuning) {
        NDArray dense = base.linears().get(part.index()).dense();
        if (dense == null) {
          throw new AdapterException(
              "the base model was loaded with the singular basis of %s, not with the weight itself"
                  .formatted(part.weight().name()));
        }
        float[] w = dense.toFloatArray();
        System.arraycopy(w, 0, values, part.offset(), w.length);
      }
    }
    return values;
  }
}
