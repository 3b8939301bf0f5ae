package io.millrace.svft.adapter;

import static org.assertj.core.api.Assertions.assertThat;

import io.millrace.svft.Differences;
import io.millrace.svft.Models;
import io.millrace.svft.Sentences;
import io.millrace.svft.TinyModel;
import io.millrace.svft.method.AdapterLayout;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.ModelFiles;
import io.millrace.svft.tensor.Torch;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Texts of several adapters in one pass have the bits that each has alone. */
@Tag("unit")
@ExtendWith(Models.class)
class MixedBatchTest {
  private static final int ADAPTERS = 5;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "svft:plain",
        "svft:banded:2",
        "svft:random:1",
        "svft:top-k:1",
        "svft:plain;rank=8",
        "lora:2",
        "pissa:2",
        "dora:2",
        "vera:4",
        "lora-xs:3",
        "ia3",
        "bias",
        "norms",
        "svf",
        "head"
      })
  void everyMethodScoresTextsAsAlone(String text) {
    AdapterMethod method = AdapterMethod.parse(text);
    try (BaseModel base = Models.tiny(TinyModel.CONFIG, method)) {
      assertSame(base, method, Sentences.ALL.subList(0, 24));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"svft:plain", "lora:8"})
  void soDoesAModelOfRealSize(String text) {
    AdapterMethod method = AdapterMethod.parse(text);
    ModelFiles files = Models.miniLm();
    try (BaseModel base = BaseModel.load(files, Torch.device("cpu"), method.factored())) {
      List<String> texts = new ArrayList<>(Sentences.ALL.subList(0, 15));
      texts.add("a");
      texts.add("a long text of many words ".repeat(12));
      assertSame(base, method, texts);
    }
  }

  @Test
  void aMergedClassifierSharesNoPassAndNeitherDoesOneOfAnotherMethod() {
    AdapterMethod plain = AdapterMethod.parse("svft:plain");
    AdapterMethod banded = AdapterMethod.parse("svft:banded:1");
    try (BaseModel base = Models.tiny(TinyModel.CONFIG, plain);
        Classifier one = new Classifier(base, adapter(base, plain, 1));
        Classifier two = new Classifier(base, adapter(base, plain, 2));
        Classifier other = new Classifier(base, adapter(base, banded, 3));
        Merge merge = new Merge(base, one.adapter())) {
      while (merge.step()) {}
      try (Classifier merged = merge.finish()) {
        assertThat(merged.sharesPass(two)).isFalse();
        assertThat(two.sharesPass(merged)).isFalse();
      }
      assertThat(one.sharesPass(two)).isTrue();
      assertThat(one.sharesPass(other)).isFalse();
    }
  }

  private static void assertSame(BaseModel base, AdapterMethod method, List<String> texts) {
    List<Classifier> classifiers =
        IntStream.range(0, ADAPTERS)
            .mapToObj(i -> new Classifier(base, adapter(base, method, i)))
            .toList();
    try {
      List<Classifier> owners = new ArrayList<>();
      Random random = new Random(3);
      texts.forEach(text -> owners.add(classifiers.get(random.nextInt(ADAPTERS))));

      float[][] mixed = Classifier.logits(owners, texts);

      for (int i = 0; i < texts.size(); i++) {
        float[] alone = owners.get(i).logits(List.of(texts.get(i)))[0];
        assertThat(Differences.largest(mixed[i], alone)).as("text %d", i).isLessThan(1e-4);
      }
      // They tell adapters apart.
      assertThat(Classifier.logits(classifiers.subList(0, 2), List.of("a film", "a film"))[0])
          .isNotEqualTo(classifiers.get(1).logits(List.of("a film"))[0]);
    } finally {
      classifiers.forEach(Classifier::close);
    }
  }

  /** With as many labels as its number says, and random values. */
  private static Adapter adapter(BaseModel base, AdapterMethod method, int number) {
    AdapterLayout layout = AdapterLayout.of(base.config(), method);
    Random random = new Random(number);
    float[] values = layout.initialValues(base);
    for (int i = 0; i < values.length; i++) {
      values[i] += (float) (random.nextGaussian() * 0.05);
    }
    int labels = 2 + number;
    float[] head = new float[labels * (base.config().hidden() + 1)];
    for (int i = 0; i < head.length; i++) {
      head[i] = (float) random.nextGaussian();
    }
    return new Adapter(
        "domain-" + number,
        1,
        "",
        base.name(),
        base.baseSha256(),
        base.basisSha256(),
        method,
        base.config(),
        IntStream.range(0, labels).mapToObj(String::valueOf).toList(),
        layout.initialPositions(base),
        values,
        head,
        1,
        1);
  }
}
