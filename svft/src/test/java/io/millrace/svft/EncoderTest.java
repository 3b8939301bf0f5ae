package io.millrace.svft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDScope;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** The packed and factored pass against {@link ReferenceEncoder}, on {@link TinyModel}. */
@ExtendWith(Models.class)
class EncoderTest {
  private static final List<String> TEXTS = Sentences.ALL.subList(4, 16);

  private final BaseModel base;
  private final ReferenceEncoder reference;

  EncoderTest(@Models.Tiny BaseModel base) {
    this.base = base;
    Path directory = base.directory();
    this.reference =
        new ReferenceEncoder(new ModelFiles("tiny", directory, base.config(), "", "", ""));
  }

  @Test
  void withMZeroItIsTheBaseModel() {
    assertSameEmbeddings(new float[base.config().plainValues()]);
  }

  @Test
  void mIsAddedToTheSingularValuesOfEveryWeight() {
    Random random = new Random(1);
    float[] m = new float[base.config().plainValues()];
    for (int i = 0; i < m.length; i++) {
      m[i] = (float) (0.3 * random.nextGaussian());
    }

    assertSameEmbeddings(m);
  }

  @Test
  void aTextsEmbeddingDoesNotDependOnItsNeighbours() {
    float[] m = new float[base.config().plainValues()];
    float[] together = embed(TEXTS, m);

    for (int i = 0; i < TEXTS.size(); i++) {
      assertThat(embed(List.of(TEXTS.get(i)), m))
          .containsExactly(Arrays.copyOfRange(together, 16 * i, 16 * i + 16), within(1e-5f));
    }
  }

  private void assertSameEmbeddings(float[] m) {
    float[] actual = embed(TEXTS, m);
    long[][] ids = base.tokenize(TEXTS).ids();
    for (int i = 0; i < ids.length; i++) {
      double[] expected = reference.embed(ids[i], m);
      for (int j = 0; j < expected.length; j++) {
        assertThat((double) actual[16 * i + j]).isCloseTo(expected[j], within(1e-5));
      }
    }
  }

  private float[] embed(List<String> texts, float[] m) {
    Torch.recordGradients(false);
    try (NDScope scope = new NDScope()) {
      return new Encoder(base)
          .embed(base.tokenize(texts), Torch.array(base.manager(), m, m.length))
          .toFloatArray();
    }
  }
}
