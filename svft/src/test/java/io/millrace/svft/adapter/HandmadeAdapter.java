package io.millrace.svft.adapter;

import io.millrace.svft.method.AdapterLayout;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.method.Svft;
import io.millrace.svft.model.Architecture;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.model.Pooling;
import java.util.List;
import java.util.stream.IntStream;

/** An adapter that is small enough to check byte by byte. */
final class HandmadeAdapter {
  private HandmadeAdapter() {}

  static Adapter create() {
    return of(3, "b0".repeat(32), new float[] {1, -2, 0.5f, 0, 0.25f, 3, -1, 2, 4, 8, 16, -32});
  }

  /** Like {@link #create}, with a given version, parent and values of M, of which there are 12. */
  static Adapter of(long version, String parentSha256, float[] values) {
    return new Adapter(
        "reviews \u2192 \"caf\u00e9\"",
        version,
        parentSha256,
        "handmade",
        "ba".repeat(32),
        "51".repeat(32),
        AdapterMethod.parse("svft:plain"),
        new EncoderConfig(Architecture.BERT, Pooling.MEAN, 1, 2, 1, 3, 10, 8, 0, 2, 1e-12f),
        List.of("positive", "n\u00e9gatif"),
        new int[0],
        values,
        new float[] {0.1f, 0.2f, 0.3f, -1, -2, -3},
        48,
        768);
  }

  /**
   * An adapter of any method on an encoder of one layer of width four. Recorded positions are
   * scattered over M. A gradient pattern has chosen its positions.
   */
  static Adapter of(String method) {
    AdapterMethod parsed = AdapterMethod.parse(method);
    EncoderConfig config =
        new EncoderConfig(Architecture.BERT, Pooling.MEAN, 1, 4, 2, 5, 10, 8, 0, 2, 1e-12f);
    AdapterLayout layout = AdapterLayout.of(config, parsed);
    int[] positions = new int[0];
    if (parsed instanceof Svft svft && !svft.pattern().closedForm()) {
      positions = new int[layout.size()];
      for (AdapterLayout.Part part : layout.parts()) {
        int places = part.n() * part.n();
        int[] scattered =
            IntStream.range(0, places).filter(p -> p * 7 % places < part.size()).toArray();
        System.arraycopy(scattered, 0, positions, part.offset(), part.size());
      }
    }
    float[] values = new float[layout.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = (i + 1) / 8f;
    }
    return new Adapter(
        "reviews",
        1,
        "",
        "handmade",
        "ba".repeat(32),
        "51".repeat(32),
        parsed,
        config,
        List.of("a"),
        positions,
        values,
        new float[] {1, 2, 3, 4, 5},
        48,
        768);
  }
}
