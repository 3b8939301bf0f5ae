package io.millrace.svft.method;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import io.millrace.svft.engine.LinearProduct;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderWeight;
import io.millrace.svft.model.ModelFiles;
import io.millrace.svft.model.WeightRole;
import io.millrace.svft.tensor.Torch;
import java.util.Arrays;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Singular vectors fine-tuning (Lingam et al., 2024, arXiv 2405.19597): W' = U (diag(Σ) + M) Vᵀ,
 * where M is sparse and its values at the pattern's positions are trained.
 *
 * <p>The values of a weight are those of M, in the row-major order of their positions. They start
 * at zero.
 *
 * @param pattern the positions of the trained values of M
 * @param rank number of leading singular directions that are kept; M is rank × rank, and W loses
 *     the others: see {@link Truncation}. 0 keeps all
 * @param weights the roles of the adapted weights; for top-k, square ones only
 */
public record Svft(Pattern pattern, int rank, Set<WeightRole> weights) implements AdapterMethod {
  private static final String ID = "svft";

  private static final MethodOption PATTERN =
      MethodOption.text(
          "pattern",
          "plain",
          MethodOption.Role.ARGUMENT,
          "Which values of M are trained: plain, banded:D, random:D or random:D:SEED, top-k:D,"
              + " gradient:D; all but plain have as many as a band of D diagonals on either side.");

  private static final MethodOption RANK =
      MethodOption.wholeNumber(
          "rank",
          0,
          0,
          1 << 20,
          MethodOption.Role.OPTION,
          "Leading singular directions kept of every adapted weight; the others are cut off, which"
              + " changes the base model. 0 keeps all.");

  static final MethodForm FORM =
      new MethodForm(
          ID,
          "a sparse M among the singular vectors",
          List.of(
              "svft:PATTERN  values of M among the singular vectors; PATTERN is plain,",
              "              banded:D, random:D, random:D:SEED, top-k:D or gradient:D"),
          List.of(";rank=N              svft: of the N leading singular directions alone"),
          List.of(PATTERN, RANK),
          true,
          Svft::parse);

  /**
   * @throws IllegalArgumentException if the rank is negative, no weight is adapted, or top-k would
   *     adapt a weight that is not square
   */
  public Svft {
    if (rank < 0) {
      throw new IllegalArgumentException("svft: rank is " + rank + ", and must not be negative");
    }
    weights = AdapterMethod.inOrder(ID, weights);
    Set<WeightRole> refused = EnumSet.copyOf(weights);
    refused.removeAll(defaultWeights(pattern));
    if (!refused.isEmpty()) {
      throw new IllegalArgumentException(
          "svft:%s: not square: %s; top-k is defined for square weights only: use %s"
              .formatted(
                  pattern.id(), MethodText.ids(refused), MethodText.ids(defaultWeights(pattern))));
    }
  }

  /** Keeps all singular directions and adapts {@link #defaultWeights}. */
  public Svft(Pattern pattern) {
    this(pattern, 0, defaultWeights(pattern));
  }

  private static AdapterMethod parse(MethodText text) {
    Pattern pattern = Pattern.parse(text.value(PATTERN));
    return new Svft(pattern, text.wholeNumber(RANK), text.weights(defaultWeights(pattern)));
  }

  /**
   * The default of {@link #weights}: all six roles, or, for a pattern that is defined for square
   * weights only, the four roles that are square in every encoder.
   */
  public static Set<WeightRole> defaultWeights(Pattern pattern) {
    return pattern.squareOnly()
        ? Collections.unmodifiableSet(
            EnumSet.of(
                WeightRole.QUERY, WeightRole.KEY, WeightRole.VALUE, WeightRole.ATTENTION_OUTPUT))
        : WeightRole.all();
  }

  @Override
  public MethodForm form() {
    return FORM;
  }

  @Override
  public String spec() {
    return ID
        + ":"
        + pattern.id()
        + (rank == 0 ? "" : ";rank=" + rank)
        + MethodText.weightsOption(weights, defaultWeights(pattern));
  }

  @Override
  public Map<String, String> options() {
    return Map.of(PATTERN.name(), pattern.id(), RANK.name(), Integer.toString(rank));
  }

  /**
   * AdamW moves every value by about the learning rate, so a step moves a row of M further if the
   * row has more values. The rate is therefore divided by the square root of 2d + 1, the number of
   * values in a row of the band.
   */
  @Override
  public double learningRate() {
    double perRow = 2 * pattern.d() + 1;
    return 3e-2 / StrictMath.sqrt(perRow);
  }

  @Override
  public Optional<Pattern> sparsity() {
    return Optional.of(pattern);
  }

  @Override
  public int directions(EncoderWeight weight) {
    return rank == 0 ? weight.rank() : Math.min(rank, weight.rank());
  }

  @Override
  public Set<WeightRole> factored() {
    return weights;
  }

  @Override
  public Optional<String> warning(ModelFiles model) {
    return rank == 0 ? Optional.empty() : Truncation.warning(model, this);
  }

  @Override
  public List<ValueTensor> tensors(EncoderWeight weight) {
    return List.of(new ValueTensor(".svft.m", pattern.size(directions(weight))));
  }

  @Override
  public LinearProduct product(
      BaseModel.Linear linear, List<WeightValues> adapters, NDManager manager) {
    requireFactors(linear);
    int n = directions(linear.weight());
    NDArray vt = linear.factors().vt();
    NDArray u = linear.factors().u();
    if (n < linear.weight().rank()) {
      vt = vt.get(new NDIndex(":" + n));
      u = u.get(new NDIndex(":, :" + n));
      // DJL attaches a view to the manager of its source array, here the base model's.
      vt.attach(manager);
      u.attach(manager);
    }
    NDArray bias = linear.bias();
    float[] sigma = Arrays.copyOf(linear.sigma(), n);
    int count = adapters.size();
    if (adapters.get(0).positions().isEmpty()) {
      return LinearProduct.scored(vt, u, bias, Torch.array(manager, sigma, n)).ofAdapters(count);
    }
    LinearProduct product =
        switch (pattern.form()) {
          case DIAGONAL -> LinearProduct.diagonal(vt, u, bias, diagonals(sigma, adapters, manager));
          case BANDS -> {
            // The pattern has a closed form: the positions are those of every adapter.
            Positions where = adapters.get(0).positions().get();
            int d = where.bandwidth();
            int[] places = where.inBands(d, n);
            yield LinearProduct.bands(
                vt, u, bias, bands(sigma, d, places, adapters, manager), places);
          }
          case PLACES ->
              LinearProduct.places(
                  vt,
                  u,
                  bias,
                  Torch.array(manager, sigma, n),
                  Torch.array(manager, index(n, adapters)),
                  values(adapters, manager));
        };
    return product.ofAdapters(count);
  }

  /**
   * @throws AdapterException if the base model was loaded without the factors of a weight
   */
  static void requireFactors(BaseModel.Linear linear) {
    if (linear.factors() == null) {
      throw new AdapterException(
          "the base model was loaded without the singular basis of " + linear.weight().name());
    }
  }

  /** The diagonal of diag(Σ) + M for each adapter, [adapters, n]. */
  private static NDArray diagonals(float[] sigma, List<WeightValues> adapters, NDManager manager) {
    int n = sigma.length;
    float[] s = new float[adapters.size() * n];
    for (int i = 0; i < adapters.size(); i++) {
      float[] own = adapters.get(i).values();
      for (int k = 0; k < n; k++) {
        s[i * n + k] = sigma[k] + own[k];
      }
    }
    return Torch.array(manager, s, adapters.size(), n);
  }

  /** The bands of diag(Σ) + M for each adapter, [adapters · (2d + 1), n]. */
  private static NDArray bands(
      float[] sigma, int d, int[] places, List<WeightValues> adapters, NDManager manager) {
    int n = sigma.length;
    int size = (2 * d + 1) * n;
    float[] bands = new float[adapters.size() * size];
    for (int i = 0; i < adapters.size(); i++) {
      float[] own = adapters.get(i).values();
      System.arraycopy(sigma, 0, bands, i * size + d * n, n);
      for (int k = 0; k < places.length; k++) {
        bands[i * size + places[k]] += own[k];
      }
    }
    return Torch.array(manager, bands, adapters.size() * (2L * d + 1), n);
  }

  /** The row-major positions of each adapter's values. */
  private static long[] index(int n, List<WeightValues> adapters) {
    return adapters.stream()
        .flatMapToInt(each -> Arrays.stream(each.positions().orElseThrow().flat(n)))
        .asLongStream()
        .toArray();
  }

  private static NDArray values(List<WeightValues> adapters, NDManager manager) {
    int size = adapters.get(0).values().length;
    float[] all = WeightValues.stacked(adapters, 0, size);
    return Torch.array(manager, all, all.length);
  }
}
