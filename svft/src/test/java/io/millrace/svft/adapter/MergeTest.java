package io.millrace.svft.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.svft.Differences;
import io.millrace.svft.Models;
import io.millrace.svft.Sentences;
import io.millrace.svft.TinyModel;
import io.millrace.svft.method.AdapterException;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderWeight;
import io.millrace.svft.training.RandomState;
import io.millrace.svft.training.Trainer;
import io.millrace.svft.training.TrainingSettings;
import io.millrace.svft.training.TrainingState;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Tag("unit")
@ExtendWith(Models.class)
class MergeTest {
  private static final List<String> TEXTS = Sentences.ALL.subList(50, 66);

  @ParameterizedTest
  @ValueSource(
      strings = {
        "svft:plain",
        "svft:plain;rank=6",
        "svft:plain;weights=query+value",
        "svft:banded:1",
        "svft:banded:9",
        "svft:random:1",
        "svft:gradient:1",
        "svft:topk:1",
        "lora:2",
        "lora:2;weights=query",
        "pissa:2",
        "dora:2",
        "vera:4",
        "lora-xs:3",
        "oft:4",
        "boft:4",
        "hra:4",
        "ia3;weights=value+output",
        "bias",
        "norms",
        "full",
        "full;weights=intermediate",
        "svf",
        "head"
      })
  void mergedWeightsGiveTheLogitsOfUnmergedOnes(String text) {
    AdapterMethod method = AdapterMethod.parse(text);
    Adapter adapter;
    try (BaseModel trainedOn = Models.tiny(TinyModel.CONFIG, method)) {
      adapter = adapter(trainedOn, method);
    }
    for (BaseModel base : List.of(Models.tiny(TinyModel.CONFIG, method), factored())) {
      int before = arrays(base);
      try (Classifier apart = new Classifier(base, adapter);
          Classifier merged = merged(base, adapter)) {
        float[][] expected = apart.logits(TEXTS);
        float[][] logits = merged.logits(TEXTS);

        assertThat(merged.isMerged()).isTrue();
        for (int i = 0; i < TEXTS.size(); i++) {
          assertThat(Differences.largest(logits[i], expected[i])).isLessThan(1e-5);
        }
      }
      assertThat(arrays(base)).as("arrays left behind").isEqualTo(before);
      base.close();
    }
  }

  @Test
  void aRealModelsWeightsAreMergedInPiecesToTheSameLogits(@Models.MiniLm BaseModel base) {
    for (String text :
        List.of("svft:plain", "svft:banded:1", "lora:8", "dora:8", "boft:4", "bias")) {
      Adapter adapter = adapter(base, AdapterMethod.parse(text));
      try (Classifier apart = new Classifier(base, adapter);
          Merge merge = new Merge(base, adapter)) {
        int pieces = merge.left();
        assertThat(pieces).isGreaterThan(base.linears().size());
        while (merge.step()) {
          assertThat(merge.left()).isEqualTo(--pieces);
        }
        assertThat(pieces).isEqualTo(1);
        try (Classifier merged = merge.finish()) {
          float[][] expected = apart.logits(TEXTS);
          float[][] logits = merged.logits(TEXTS);
          for (int i = 0; i < TEXTS.size(); i++) {
            assertThat(Differences.largest(logits[i], expected[i])).isLessThan(2e-5);
          }
        }
      }
    }
  }

  @Test
  void itHoldsEveryWeightOnceAndFreesThemHalfWayAndInTheEnd(@Models.Tiny BaseModel base) {
    Adapter adapter = adapter(base, AdapterMethod.parse("svft:banded:1"));
    int before = arrays(base);
    long weights = 0;
    for (EncoderWeight w : base.config().weights()) {
      weights += 4L * w.out() * w.in();
    }

    try (Merge half = new Merge(base, adapter)) {
      assertThat(half.step()).isTrue();
      assertThat(half.bytes()).isBetween(1L, weights / 2);
      assertThatThrownBy(half::finish).isInstanceOf(IllegalStateException.class);
    }
    assertThat(arrays(base)).isEqualTo(before);

    try (Classifier merged = merged(base, adapter)) {
      long head = 4L * 3 * (base.config().hidden() + 1);
      assertThat(merged.bytes()).isEqualTo(weights + head);
      assertThat(arrays(base)).isEqualTo(before + 12 + 2);
    }
    assertThat(arrays(base)).isEqualTo(before);
  }

  @Test
  void anAdapterOfAnotherBaseModelIsRefused(@Models.Tiny BaseModel base) {
    int before = arrays(base);

    assertThatThrownBy(() -> new Merge(base, HandmadeAdapter.create()))
        .isInstanceOf(AdapterException.class);
    assertThat(arrays(base)).isEqualTo(before);
  }

  private static BaseModel factored() {
    return Models.tiny(TinyModel.CONFIG, AdapterMethod.parse("svft:plain"));
  }

  private static Adapter adapter(BaseModel base, AdapterMethod method) {
    try (Trainer trainer = new Trainer(base, TrainingSettings.defaults(method), 1)) {
      TrainingState state = RandomState.of(trainer, base.config().hidden(), 0.05);
      return state.toAdapter(base, "domain", 1, "");
    }
  }

  private static Classifier merged(BaseModel base, Adapter adapter) {
    try (Merge merge = new Merge(base, adapter)) {
      boolean more = true;
      while (more) {
        more = merge.step();
      }
      return merge.finish();
    }
  }

  private static int arrays(BaseModel base) {
    return base.manager().getManagedArrays().size();
  }
}
