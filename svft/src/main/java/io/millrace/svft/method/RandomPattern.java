package io.millrace.svft.method;

import io.millrace.svft.tensor.SplitMix64;
import java.util.BitSet;

/**
 * Positions drawn uniformly from all of M without replacement, as many as banded(d) has (Lingam et
 * al., 2024, arXiv 2405.19597, section 3). The authors' code draws with replacement and so trains
 * fewer values than it counts.
 *
 * <p>The draw is a function of d, the seed, n and the weight's name. It is specified here so that
 * any language can reproduce it. All arithmetic is on unsigned 64-bit words, modulo 2⁶⁴:
 *
 * <ol>
 *   <li>The generator is SplitMix64 (Steele, Lea and Flood, 2014, "Fast splittable pseudorandom
 *       number generators"). Its state starts as the first eight bytes, big-endian, of the SHA-256
 *       of the UTF-8 text {@code seed:name}, the seed as a signed decimal, such as {@code
 *       42:encoder.layer.0.attention.self.query}. Each call adds 0x9E3779B97F4A7C15 to the state
 *       and returns it as z after {@code z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9}, {@code z = (z ^
 *       (z >> 27)) * 0x94D049BB133111EB}, {@code z = z ^ (z >> 31)}.
 *   <li>A number below b: x is the upper 63 bits of the next output, {@code next >> 1}. If x lies
 *       in the incomplete last run of b numbers, {@code x - x mod b > 2^63 - b}, x is discarded and
 *       the next one is drawn. Otherwise the number is x mod b.
 *   <li>Floyd's sampling (Bentley and Floyd, 1987, "A sample of brilliance"): for t from n² − size
 *       to n² − 1, draw p below t + 1, and take position p, or position t if p is already taken.
 *       Position p is row p / n, column p mod n.
 * </ol>
 *
 * @param d the half-width of the band with the same number of positions
 * @param seed any number
 */
public record RandomPattern(int d, long seed) implements Pattern {

  /**
   * @throws IllegalArgumentException if d is negative
   */
  public RandomPattern {
    if (d < 0) {
      throw new IllegalArgumentException("random: d is " + d + ", and must not be negative");
    }
  }

  @Override
  public String id() {
    return "random:" + d + ":" + seed;
  }

  @Override
  public Positions positions(Site site) {
    int n = site.n();
    int count = size(n);
    SplitMix64 generator = SplitMix64.seededBy(seed + ":" + site.weight());
    BitSet taken = new BitSet(n * n);
    for (int t = n * n - count; t < n * n; t++) {
      int place = generator.below(t + 1);
      taken.set(taken.get(place) ? t : place);
    }
    return Positions.of(taken.stream().toArray(), n);
  }
}
