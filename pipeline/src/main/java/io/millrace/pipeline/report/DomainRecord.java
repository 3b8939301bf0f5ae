package io.millrace.pipeline.report;

import io.millrace.schemas.AdapterVersion;
import io.millrace.schemas.TrainingStep;
import java.util.HexFormat;

/**
 * The steps and versions of one domain, counted in order and without gap. There may be a million of
 * these, so they hold sums and last values alone, and the hash as bits.
 */
public final class DomainRecord {
  private static final HexFormat HEX = HexFormat.of();
  private static final int DIGITS = 64;
  private static final int DIGITS_OF_A_LONG = 16;

  private long examples;
  private long right;
  private long steps;
  private long versions;
  // Four fields take 32 bytes, an array or a text 48 to 104.
  private long hash0;
  private long hash1;
  private long hash2;
  private long hash3;

  DomainRecord() {}

  /**
   * @throws IllegalStateException where a step is missing or comes twice: exactly once is broken
   */
  void add(TrainingStep step) {
    requireNext(step.getDomain(), "step", step.getStep(), steps + 1);
    steps++;
    examples += step.getCorrect().size();
    right += right(step);
  }

  /** Of a step's examples, those whose label was predicted before. */
  static int right(TrainingStep step) {
    int right = 0;
    for (boolean each : step.getCorrect()) {
      right += each ? 1 : 0;
    }
    return right;
  }

  /**
   * @throws IllegalStateException where a version is missing, comes twice, has another parent, or a
   *     hash that is none
   */
  void add(AdapterVersion version) {
    String name = version.getDomain();
    requireNext(name, "version", version.getVersion(), versions + 1);
    if (versions > 0 && !lastSha256().equals(version.getParentSha256())) {
      throw new IllegalStateException(
          "domain %s: version %d names the parent %s, the version before is %s"
              .formatted(name, version.getVersion(), version.getParentSha256(), lastSha256()));
    }
    String hash = version.getSha256();
    try {
      if (hash.length() != DIGITS) {
        throw new NumberFormatException();
      }
      hash0 = part(hash, 0);
      hash1 = part(hash, 1);
      hash2 = part(hash, 2);
      hash3 = part(hash, 3);
    } catch (NumberFormatException e) {
      throw new IllegalStateException(
          "domain %s: version %d has the hash %s, which is no SHA-256"
              .formatted(name, version.getVersion(), hash),
          e);
    }
    versions++;
  }

  private static long part(String hash, int index) {
    return HexFormat.fromHexDigitsToLong(
        hash, index * DIGITS_OF_A_LONG, (index + 1) * DIGITS_OF_A_LONG);
  }

  private static void requireNext(String name, String what, long number, long expected) {
    if (number != expected) {
      throw new IllegalStateException(
          "domain %s: %s %d follows where %d should".formatted(name, what, number, expected));
    }
  }

  /** Examples trained on. */
  public long examples() {
    return examples;
  }

  /** Examples whose label was predicted before they were trained on. */
  public long right() {
    return right;
  }

  /** How many there are, which is the number of the last one. */
  public long steps() {
    return steps;
  }

  /** How many there are, which is the number of the last one. */
  public long versions() {
    return versions;
  }

  /** Of the last version, hexadecimal; null where there is none. */
  public String lastSha256() {
    return versions == 0
        ? null
        : HEX.toHexDigits(hash0)
            + HEX.toHexDigits(hash1)
            + HEX.toHexDigits(hash2)
            + HEX.toHexDigits(hash3);
  }
}
