package io.millrace.svft.adapter;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.svft.Differences;
import io.millrace.svft.Models;
import io.millrace.svft.Sentences;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.EncoderWeight;
import io.millrace.svft.tensor.Torch;
import io.millrace.svft.training.RandomState;
import io.millrace.svft.training.Trainer;
import io.millrace.svft.training.TrainingSettings;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A process that only predicts computes with packed weights, to the same answers. */
@Tag("unit")
@ExtendWith(Models.class)
class PackedWeightsTest {
  private static final List<String> TEXTS = Sentences.ALL.subList(50, 66);

  private static BaseModel packed;

  private final BaseModel plain;

  PackedWeightsTest(@Models.MiniLm BaseModel plain) {
    this.plain = plain;
  }

  @BeforeAll
  static void load() {
    packed = BaseModel.loadToPredict(Models.miniLm(), Torch.device("cpu"));
  }

  @AfterAll
  static void close() {
    packed.close();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "svft:plain",
        "svft:plain;rank=100",
        "svft:plain;weights=query+value",
        "svft:banded:1",
        "lora:8",
        "dora:4",
        "ia3",
        "full;weights=intermediate",
        "head"
      })
  void everyMethodGivesTheLogitsOfPlainWeights(String text) {
    Adapter adapter = adapter(AdapterMethod.parse(text));
    int before = arrays();
    assertThat(packed.packs()).isTrue();
    assertThat(plain.packs()).isFalse();

    try (Classifier expected = new Classifier(plain, adapter);
        Classifier apart = new Classifier(packed, adapter);
        Classifier other = new Classifier(packed, adapter);
        Classifier merged = merged(adapter)) {
      float[][] logits = expected.logits(TEXTS);

      assertClose(apart.logits(TEXTS), logits);
      assertClose(merged.logits(TEXTS), logits);
      List<Classifier> owners = new ArrayList<>();
      TEXTS.forEach(each -> owners.add(owners.size() % 2 == 0 ? apart : other));
      assertClose(Classifier.logits(owners, TEXTS), logits);
      assertClose(
          apart.logits(Collections.nCopies(2, "a")), expected.logits(Collections.nCopies(2, "a")));
    }
    assertThat(arrays()).as("arrays left behind").isEqualTo(before);
  }

  @Test
  void aMergedVersionHoldsEveryWeightOnce() {
    long weights = 0;
    for (EncoderWeight w : packed.config().weights()) {
      weights += 4L * w.out() * w.in();
    }
    try (Classifier merged = merged(adapter(AdapterMethod.parse("svft:plain")))) {
      long head = 4L * 3 * (packed.config().hidden() + 1);
      assertThat(merged.bytes()).isEqualTo(weights + head);
    }
  }

  private static Adapter adapter(AdapterMethod method) {
    try (BaseModel base = BaseModel.load(Models.miniLm(), Torch.device("cpu"), method.factored());
        Trainer trainer = new Trainer(base, TrainingSettings.defaults(method), 1)) {
      return RandomState.of(trainer, base.config().hidden(), 0.05).toAdapter(base, "domain", 1, "");
    }
  }

  private static Classifier merged(Adapter adapter) {
    try (Merge merge = new Merge(packed, adapter)) {
      while (merge.step()) {}
      return merge.finish();
    }
  }

  private static void assertClose(float[][] logits, float[][] expected) {
    assertThat(logits).hasDimensions(expected.length, expected[0].length);
    for (int i = 0; i < expected.length; i++) {
      assertThat(Differences.largest(logits[i], expected[i])).isLessThan(2e-5);
    }
  }

  private static int arrays() {
    return packed.manager().getManagedArrays().size();
  }
}
