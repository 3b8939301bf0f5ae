package io.millrace.svft;

import java.util.List;

/** An adapter small enough to read byte by byte. */
final class HandmadeAdapter {
  private HandmadeAdapter() {}

  static Adapter create() {
    return of(3, "b0".repeat(32), new float[] {1, -2, 0.5f, 0, 0.25f, 3, -1, 2, 4, 8, 16, -32});
  }

  /** As {@link #create}, with another version, parent and values of M, of which there are 12. */
  static Adapter of(long version, String parentSha256, float[] values) {
    return new Adapter(
        "reviews \u2192 \"caf\u00e9\"",
        version,
        parentSha256,
        "handmade",
        "ba".repeat(32),
        "51".repeat(32),
        TrainingSettings.Method.SVFT,
        new EncoderConfig(1, 2, 1, 3, 10, 8, 1e-12f),
        List.of("positive", "n\u00e9gatif"),
        values,
        new float[] {0.1f, 0.2f, 0.3f, -1, -2, -3},
        48,
        768);
  }
}
