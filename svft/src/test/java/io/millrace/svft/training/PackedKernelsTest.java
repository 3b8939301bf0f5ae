package io.millrace.svft.training;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.svft.ChildJvm;
import io.millrace.svft.Models;
import io.millrace.svft.Sentences;
import io.millrace.svft.TinyModel;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderConfig;
import io.millrace.svft.tensor.Kernels;
import io.millrace.svft.tensor.Torch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Packed kernels compute what the fast ones compute, and are as reproducible. */
@Tag("unit")
class PackedKernelsTest {
  private static final List<String> METHODS =
      List.of(
          "svft:plain",
          "svft:banded:1",
          "svft:random:1",
          "svft:gradient:1",
          "svft:plain;rank=8",
          "lora:2",
          "dora:2",
          "pissa:2",
          "lora-xs:3",
          "oft:4",
          "ia3",
          "norms",
          "full",
          "head");

  private static final int BATCH = 20;

  /** Prints what a process with packed kernels computes. */
  static final class Packed {
    private Packed() {}

    public static void main(String[] args) {
      TrainingEnvironment.describe(Torch.device("cpu"), 1, Kernels.PACKED)
          .forEach((key, value) -> System.out.println(key + "=" + value));
      for (String method : METHODS) {
        float[] gradient = gradient(method, 1, Kernels.PACKED);
        System.out.println(method + "=" + Arrays.toString(gradient));
        System.out.println(
            method + " threads=" + Arrays.equals(gradient, gradient(method, 3, Kernels.PACKED)));
        AdapterMethod parsed = AdapterMethod.parse(method);
        try (BaseModel base = Models.tiny(TinyModel.CONFIG, parsed, Kernels.PACKED);
            Trainer trainer = new Trainer(base, TrainingSettings.defaults(parsed), 2)) {
          System.out.println(method + " groups=" + (trainer.groups() == parsed.groups()));
        }
      }
      AdapterMethod plain = AdapterMethod.parse("svft:plain");
      try (BaseModel base =
              BaseModel.load(
                  Models.miniLm(), Torch.device("cpu"), plain.factored(), Kernels.PACKED);
          Trainer trainer = new Trainer(base, TrainingSettings.defaults(plain), 2)) {
        System.out.println("minilm groups=" + trainer.groups());
      }
      System.exit(0);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"ALL", "AVX2"})
  void gradientsAreThoseOfFastKernelsForAnyNumberOfThreads(String instructions) throws Exception {
    Map<String, String> printed = new LinkedHashMap<>();
    try (ChildJvm child =
        ChildJvm.start(List.of(), Map.of("ONEDNN_MAX_CPU_ISA", instructions), Packed.class)) {
      for (String line : child.output()) {
        int at = line.lastIndexOf('=');
        printed.put(line.substring(0, Math.max(0, at)), line.substring(at + 1));
      }
    }

    assertThat(printed).containsEntry("kernels", "packed").containsEntry("minilm groups", "true");
    for (String method : METHODS) {
      float[] expected = gradient(method, 1, Kernels.FAST);
      assertThat(printed).containsKey(method);
      List<Float> actual = new ArrayList<>();
      for (String value : printed.get(method).replaceAll("[\\[\\] ]", "").split(",")) {
        if (!value.isEmpty()) {
          actual.add(Float.parseFloat(value));
        }
      }
      assertThat(actual).as(method).hasSize(expected.length);
      double largest = 0;
      for (float each : expected) {
        largest = Math.max(largest, Math.abs(each));
      }
      for (int i = 0; i < expected.length; i++) {
        assertThat((double) Math.abs(actual.get(i) - expected[i]))
            .as(method)
            .isLessThanOrEqualTo(2e-5 * largest);
      }
      assertThat(printed).containsEntry(method + " threads", "true");
      assertThat(printed).containsEntry(method + " groups", "true");
    }
  }

  /** Gradients of all values, for a state that is not the initial one. */
  private static float[] gradient(String text, int threads, Kernels kernels) {
    AdapterMethod method = AdapterMethod.parse(text);
    EncoderConfig config = TinyModel.CONFIG;
    try (BaseModel base = Models.tiny(config, method, kernels);
        Trainer trainer = new Trainer(base, TrainingSettings.defaults(method), threads)) {
      List<TrainingExample> batch = Sentences.batch(2, BATCH);
      TrainingState state = RandomState.of(trainer, config.hidden(), 0.05);
      long[][] ids = base.tokenize(batch.stream().map(TrainingExample::text).toList());
      return trainer.gradients(state, batch, ids).values();
    }
  }
}
