package io.millrace.svft.method;

import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.model.EncoderWeight;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * How the trainable values of an adapter lie in one flat array: weight after weight, in the order
 * of {@link EncoderConfig#weights()}.
 *
 * @param parts the adapted weights
 * @param size trainable values over all of them
 */
public record AdapterLayout(List<Part> parts, int size) {

  /**
   * One adapted weight's share. Under svft, M's values in the row-major order of their positions;
   * under lora, A [rank, in], then B [out, rank], row-major; under full, W [out, in], row-major.
   *
   * @param weight the adapted weight
   * @param index its place in {@link EncoderConfig#weights()}
   * @param n rows of M: the singular directions it spans; 0 under lora and full
   * @param offset where its values start
   * @param size how many there are
   */
  public record Part(EncoderWeight weight, int index, int n, int offset, int size) {}

  /**
   * @throws IllegalArgumentException where the values outgrow an array
   */
  public static AdapterLayout of(EncoderConfig config, AdapterMethod method) {
    List<Part> parts = new ArrayList<>();
    List<EncoderWeight> weights = config.weights();
    int offset = 0;
    for (int i = 0; i < weights.size(); i++) {
      EncoderWeight w = weights.get(i);
      if (method.weights().contains(w.role())) {
        int n = method instanceof AdapterMethod.Svft svft ? directions(svft, w) : 0;
        long size = size(method, w, n);
        try {
          parts.add(new Part(w, i, n, offset, Math.toIntExact(size)));
          offset = Math.toIntExact(offset + size);
        } catch (ArithmeticException e) {
          throw new IllegalArgumentException(
              method.spec() + " has more than " + Integer.MAX_VALUE + " trainable values here");
        }
      }
    }
    return new AdapterLayout(List.copyOf(parts), offset);
  }

  private static int directions(AdapterMethod.Svft svft, EncoderWeight weight) {
    return svft.rank() == 0 ? weight.rank() : Math.min(svft.rank(), weight.rank());
  }

  private static long size(AdapterMethod method, EncoderWeight weight, int n) {
    if (method instanceof AdapterMethod.Svft svft) {
      return svft.pattern().size(n);
    }
    if (method instanceof AdapterMethod.Lora lora) {
      return lora.rank() * ((long) weight.in() + weight.out());
    }
    return (long) weight.out() * weight.in();
  }

  /**
   * Where M's values lie, per part.
   *
   * @param recorded flat row-major places of all parts, one after the other, for a pattern that has
   *     no closed form; empty where they are still to be chosen
   * @return empty under lora, full and head; null entries while positions are to be chosen
   */
  public List<Positions> positions(AdapterMethod method, int[] recorded) {
    List<Positions> positions = new ArrayList<>();
    if (method instanceof AdapterMethod.Svft svft) {
      for (Part part : parts) {
        if (svft.pattern().closedForm()) {
          positions.add(svft.pattern().positions(site(part)));
        } else if (recorded.length == 0) {
          positions.add(null);
        } else {
          int[] own = Arrays.copyOfRange(recorded, part.offset(), part.offset() + part.size());
          positions.add(Positions.of(own, part.n()));
        }
      }
    }
    return positions;
  }

  /**
   * The positions to record before the first step: none for a pattern that has a closed form, or
   * that chooses them by gradients.
   */
  public int[] initialPositions(BaseModel base, AdapterMethod method) {
    if (!(method instanceof AdapterMethod.Svft svft)
        || svft.pattern().closedForm()
        || svft.pattern().needsGradients()) {
      return new int[0];
    }
    int[] recorded = new int[size];
    parts.parallelStream()
        .forEach(
            part -> {
              Site site = svft.pattern().needsBasis() ? site(part, base) : site(part);
              record(svft.pattern().positions(site), part, recorded);
            });
    return recorded;
  }

  /**
   * The positions a gradient pattern chooses.
   *
   * @param scores per part [n, n]: summed magnitudes of ∂L/∂M
   */
  public int[] chosenPositions(GradientPattern pattern, float[] scores) {
    int[] recorded = new int[size];
    int at = 0;
    for (Part part : parts) {
      float[] own = Arrays.copyOfRange(scores, at, at + part.n() * part.n());
      record(pattern.choose(own, part.n()), part, recorded);
      at += own.length;
    }
    return recorded;
  }

  /**
   * By how much of the rate each value of a gradient pattern moves: AdamW moves every value by
   * about the rate, whatever its gradient, and a place with ten times the gradient changes the loss
   * ten times as much. Shares in inverse proportion to a place's score make all places tell alike.
   *
   * @param positions as {@link #chosenPositions} returned
   * @param scores as it was given
   * @return [size], at most 1: the mean score of the weight over the place's own
   */
  public float[] shares(int[] positions, float[] scores) {
    float[] shares = new float[size];
    int at = 0;
    for (Part part : parts) {
      int places = part.n() * part.n();
      double mean = 0;
      for (int i = 0; i < places; i++) {
        mean += scores[at + i] / (double) places;
      }
      for (int k = part.offset(); k < part.offset() + part.size(); k++) {
        double score = scores[at + positions[k]];
        shares[k] = (float) (score > mean ? mean / score : 1);
      }
      at += places;
    }
    return shares;
  }

  private static void record(Positions positions, Part part, int[] recorded) {
    System.arraycopy(positions.flat(part.n()), 0, recorded, part.offset(), part.size());
  }

  private static Site site(Part part) {
    EncoderWeight w = part.weight();
    return new Site(w.name(), w.out(), w.in(), part.n());
  }

  private static Site site(Part part, BaseModel base) {
    EncoderWeight w = part.weight();
    int n = part.n();
    BaseModel.Factors factors = base.linears().get(part.index()).factors();
    float[] all = factors.u().toFloatArray();
    float[] u = new float[w.out() * n];
    for (int row = 0; row < w.out(); row++) {
      System.arraycopy(all, row * w.rank(), u, row * n, n);
    }
    float[] vt = Arrays.copyOf(factors.vt().toFloatArray(), n * w.in());
    return new Site(w.name(), w.out(), w.in(), n, u, vt);
  }
}
