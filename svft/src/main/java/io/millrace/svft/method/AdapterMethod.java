package io.millrace.svft.method;

import io.millrace.svft.model.WeightRole;
import java.io.Serializable;
import java.math.BigDecimal;
import java.util.Collections;
import java.util.EnumSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * What is trained beside the classification head, which every method trains.
 *
 * <p>Its text, {@link #spec}, is a form of {@code svft:PATTERN}, {@code lora:RANK}, {@code full} or
 * {@code head}, followed by options, each {@code ;name=value}: {@code rank} for svft, {@code alpha}
 * for lora, {@code weights} (roles, joined by +) for all but head.
 */
public sealed interface AdapterMethod extends Serializable {

  /**
   * The kind of method, without its settings: {@code svft}, {@code lora}, {@code full}, {@code
   * head}.
   */
  String id();

  /** Which linear weights of every layer are adapted, in the order of the roles. */
  Set<WeightRole> weights();

  /** The canonical text: one line that holds every setting. {@link #parse} is its inverse. */
  String spec();

  /**
   * Singular vectors fine-tuning (Lingam et al., 2024, arXiv 2405.19597): W' = U (diag(Σ) + M) Vᵀ,
   * of which the pattern's values of M are trained.
   *
   * @param pattern which values of M
   * @param rank how many leading singular directions the basis is truncated to, which makes M rank
   *     × rank and takes the others out of W: see {@link Truncation}; 0 keeps all
   * @param weights the adapted weights; for top-k square ones only
   */
  record Svft(Pattern pattern, int rank, Set<WeightRole> weights) implements AdapterMethod {

    /**
     * @throws IllegalArgumentException where the rank is negative, no weight is adapted, or top-k
     *     is to adapt a weight that is not square
     */
    public Svft {
      if (rank < 0) {
        throw new IllegalArgumentException("svft: rank is " + rank + ", and must not be negative");
      }
      weights = inOrder("svft", weights);
      Set<WeightRole> refused = EnumSet.copyOf(weights);
      refused.removeAll(defaultWeights(pattern));
      if (!refused.isEmpty()) {
        throw new IllegalArgumentException(
            "svft:%s: not square: %s; top-k is defined for square weights only: use %s"
                .formatted(pattern.id(), ids(refused), ids(defaultWeights(pattern))));
      }
    }

    /** All singular directions of the weights that {@link #defaultWeights} names. */
    public Svft(Pattern pattern) {
      this(pattern, 0, defaultWeights(pattern));
    }

    /** All six roles; for top-k the four that are square in every encoder. */
    public static Set<WeightRole> defaultWeights(Pattern pattern) {
      return inOrder(
          "svft",
          pattern instanceof TopKPattern
              ? EnumSet.of(
                  WeightRole.QUERY, WeightRole.KEY, WeightRole.VALUE, WeightRole.ATTENTION_OUTPUT)
              : ALL);
    }

    @Override
    public String id() {
      return "svft";
    }

    @Override
    public String spec() {
      return "svft:"
          + pattern.id()
          + (rank == 0 ? "" : ";rank=" + rank)
          + weightsOption(weights, defaultWeights(pattern));
    }
  }

  /**
   * Low-rank adaptation (Hu et al., 2021, arXiv 2106.09685): W' = W + alpha / rank · B A, with A
   * [rank, in] and B [out, rank] trained.
   *
   * @param rank rows of A
   * @param alpha numerator of the scale
   * @param weights the adapted weights
   */
  record Lora(int rank, double alpha, Set<WeightRole> weights) implements AdapterMethod {

    /**
     * @throws IllegalArgumentException where rank or alpha is not positive, alpha is not finite, or
     *     no weight is adapted
     */
    public Lora {
      if (rank < 1) {
        throw new IllegalArgumentException("lora: rank is " + rank + ", and must be positive");
      }
      if (!(alpha > 0 && alpha <= Double.MAX_VALUE)) {
        throw new IllegalArgumentException(
            "lora: alpha is " + alpha + ", and must be positive and finite");
      }
      weights = inOrder("lora", weights);
    }

    /** All six roles, and alpha twice the rank: a scale of 2 at every rank. */
    public Lora(int rank) {
      this(rank, 2.0 * rank, ALL);
    }

    /** What B A is multiplied by: alpha / rank. */
    public double scale() {
      return alpha / rank;
    }

    @Override
    public String id() {
      return "lora";
    }

    @Override
    public String spec() {
      String plainAlpha = BigDecimal.valueOf(alpha).stripTrailingZeros().toPlainString();
      return "lora:" + rank + ";alpha=" + plainAlpha + weightsOption(weights, ALL);
    }
  }

  /**
   * Every value of the linear weights themselves is trained; embeddings, biases and normalisations
   * stay as they are.
   *
   * @param weights the adapted weights
   */
  record FullFineTuning(Set<WeightRole> weights) implements AdapterMethod {

    /**
     * @throws IllegalArgumentException where no weight is adapted
     */
    public FullFineTuning {
      weights = inOrder("full", weights);
    }

    /** All six roles. */
    public FullFineTuning() {
      this(ALL);
    }

    @Override
    public String id() {
      return "full";
    }

    @Override
    public String spec() {
      return "full" + weightsOption(weights, ALL);
    }
  }

  /** The head alone, on a frozen encoder. */
  record HeadOnly() implements AdapterMethod {
    @Override
    public String id() {
      return "head";
    }

    @Override
    public Set<WeightRole> weights() {
      return Set.of();
    }

    @Override
    public String spec() {
      return "head";
    }
  }

  /** All six roles: what is adapted unless told otherwise. */
  Set<WeightRole> ALL = Collections.unmodifiableSet(EnumSet.allOf(WeightRole.class));

  /**
   * The method of that text: any {@link #spec}, or one that leaves settings out. Then {@code svft}
   * is plain over all singular directions, LoRA's rank is 8 and its alpha twice the rank, and the
   * weights are all six roles, for top-k the four square ones.
   *
   * @throws IllegalArgumentException where no method has that form, or refuses its settings
   */
  static AdapterMethod parse(String text) {
    String[] parts = text.split(";", -1);
    int colon = parts[0].indexOf(':');
    String id = colon < 0 ? parts[0] : parts[0].substring(0, colon);
    Optional<String> argument =
        colon < 0 ? Optional.empty() : Optional.of(parts[0].substring(colon + 1));
    Map<String, String> options = options(text, parts);
    if (id.equals("svft")) {
      requireKnown(text, options, Set.of("rank", "weights"));
      Pattern pattern = argument.map(Pattern::parse).orElseGet(PlainPattern::new);
      int rank = wholeNumber(text, "rank", options.getOrDefault("rank", "0"));
      return new Svft(pattern, rank, weights(text, options, Svft.defaultWeights(pattern)));
    }
    if (id.equals("lora")) {
      requireKnown(text, options, Set.of("alpha", "weights"));
      int rank = wholeNumber(text, "rank", argument.orElse("8"));
      double alpha =
          options.containsKey("alpha") ? decimal(text, "alpha", options.get("alpha")) : 2.0 * rank;
      return new Lora(rank, alpha, weights(text, options, ALL));
    }
    if (id.equals("full") && argument.isEmpty()) {
      requireKnown(text, options, Set.of("weights"));
      return new FullFineTuning(weights(text, options, ALL));
    }
    if (id.equals("head") && argument.isEmpty()) {
      requireKnown(text, options, Set.of());
      return new HeadOnly();
    }
    throw new IllegalArgumentException(
        "unknown adapter method \""
            + text
            + "\": use svft, svft:PATTERN, lora, lora:RANK, full or head");
  }

  private static Map<String, String> options(String text, String[] parts) {
    Map<String, String> options = new TreeMap<>();
    for (int i = 1; i < parts.length; i++) {
      int equals = parts[i].indexOf('=');
      if (equals < 0) {
        throw refused(text, "option \"" + parts[i] + "\" is not of the form name=value");
      }
      String name = parts[i].substring(0, equals);
      if (options.put(name, parts[i].substring(equals + 1)) != null) {
        throw refused(text, "option " + name + " is given twice");
      }
    }
    return options;
  }

  private static void requireKnown(String text, Map<String, String> options, Set<String> known) {
    for (String name : options.keySet()) {
      if (!known.contains(name)) {
        throw refused(
            text,
            "unknown option \""
                + name
                + "\": it takes "
                + (known.isEmpty() ? "none" : String.join(" and ", new TreeSet<>(known))));
      }
    }
  }

  private static int wholeNumber(String text, String name, String value) {
    try {
      if (value.matches("[0-9]+")) {
        return Integer.parseInt(value);
      }
    } catch (NumberFormatException e) {
      // Larger than an int: refused like what is no number.
    }
    throw refused(text, name + " \"" + value + "\" is not a whole number");
  }

  private static double decimal(String text, String name, String value) {
    if (!value.matches("[0-9]+([.][0-9]+)?")) {
      throw refused(text, name + " \"" + value + "\" is not a decimal number");
    }
    return Double.parseDouble(value);
  }

  private static Set<WeightRole> weights(
      String text, Map<String, String> options, Set<WeightRole> defaults) {
    String value = options.get("weights");
    if (value == null) {
      return defaults;
    }
    Set<WeightRole> weights = EnumSet.noneOf(WeightRole.class);
    for (String id : value.split("\\+", -1)) {
      weights.add(
          ALL.stream()
              .filter(role -> role.id().equals(id))
              .findFirst()
              .orElseThrow(() -> refused(text, "unknown weight \"" + id + "\": use " + ids(ALL))));
    }
    return weights;
  }

  private static IllegalArgumentException refused(String text, String reason) {
    return new IllegalArgumentException("adapter method \"" + text + "\": " + reason);
  }

  private static Set<WeightRole> inOrder(String method, Set<WeightRole> weights) {
    if (weights.isEmpty()) {
      throw new IllegalArgumentException(
          method + ": no weight to adapt; to train the head alone, the method is head");
    }
    return Collections.unmodifiableSet(EnumSet.copyOf(weights));
  }

  private static String weightsOption(Set<WeightRole> weights, Set<WeightRole> defaults) {
    return weights.equals(defaults) ? "" : ";weights=" + ids(weights);
  }

  private static String ids(Set<WeightRole> weights) {
    return weights.stream().map(WeightRole::id).collect(Collectors.joining("+"));
  }
}
