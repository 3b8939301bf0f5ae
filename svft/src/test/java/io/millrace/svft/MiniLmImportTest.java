package io.millrace.svft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.huggingface.tokenizers.Encoding;
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import ai.djl.ndarray.NDScope;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtSession;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(Models.class)
class MiniLmImportTest {
  private final BaseModel base;

  MiniLmImportTest(@Models.MiniLm BaseModel base) {
    this.base = base;
  }

  @Test
  void embeddingsAreThoseOfOnnxRuntimeOnTheSameFile() throws Exception {
    List<float[]> expected = onnxRuntime(Sentences.ALL);

    List<float[]> actual = new ArrayList<>();
    for (int i = 0; i < Sentences.ALL.size(); i += 25) {
      actual.addAll(embed(Sentences.ALL.subList(i, i + 25)));
    }

    assertThat(actual).hasSize(100);
    for (int i = 0; i < 100; i++) {
      assertThat(actual.get(i))
          .as(Sentences.ALL.get(i))
          .containsExactly(expected.get(i), within(1e-5f));
    }
  }

  /** A basis is computed the same on every machine; these are what adapters name. */
  @Test
  void hashesOfTheBaseAndItsBasisAreThoseOfEveryOtherMachine() {
    assertThat(base.baseSha256())
        .isEqualTo("2c1ddbe6f92a30bb64a1577cc5c7085355e9349dc64f8bb78e11ebbec3541b59");
    assertThat(base.basisSha256())
        .isEqualTo("0459084cac864004347775e6ce2f588ec5837cc006e33ad29ddf67a3b0ca06ac");
  }

  @Test
  void thePlainPatternHas13824TrainableValues() {
    assertThat(base.config().plainValues()).isEqualTo(13_824);
  }

  private List<float[]> embed(List<String> texts) {
    Torch.recordGradients(false);
    try (NDScope scope = new NDScope()) {
      int hidden = base.config().hidden();
      float[] zero = new float[base.config().plainValues()];
      float[] flat =
          new Encoder(base)
              .embed(base.tokenize(texts), Torch.array(base.manager(), zero, zero.length))
              .toFloatArray();
      List<float[]> rows = new ArrayList<>();
      for (int i = 0; i < texts.size(); i++) {
        rows.add(java.util.Arrays.copyOfRange(flat, i * hidden, (i + 1) * hidden));
      }
      return rows;
    }
  }

  /** With the tokenizer as its file configures it: padded and cut to 128 tokens. */
  private List<float[]> onnxRuntime(List<String> texts) throws Exception {
    OrtEnvironment environment = OrtEnvironment.getEnvironment();
    List<float[]> embeddings = new ArrayList<>();
    try (OrtSession session = environment.createSession(onnxFile());
        HuggingFaceTokenizer tokenizer =
            HuggingFaceTokenizer.newInstance(base.directory().resolve("tokenizer.json"))) {
      for (String text : texts) {
        Encoding tokens = tokenizer.encode(text);
        try (OnnxTensor ids = tensor(environment, tokens.getIds());
            OnnxTensor mask = tensor(environment, tokens.getAttentionMask());
            OnnxTensor types = tensor(environment, tokens.getTypeIds());
            OrtSession.Result result =
                session.run(
                    Map.of("input_ids", ids, "attention_mask", mask, "token_type_ids", types))) {
          float[][][] hiddenStates = (float[][][]) result.get(0).getValue();
          embeddings.add(mean(hiddenStates[0], tokens.getAttentionMask()));
        }
      }
    }
    return embeddings;
  }

  private static OnnxTensor tensor(OrtEnvironment environment, long[] values) throws Exception {
    return OnnxTensor.createTensor(environment, new long[][] {values});
  }

  private static float[] mean(float[][] hiddenStates, long[] mask) {
    double[] sum = new double[hiddenStates[0].length];
    int tokens = 0;
    for (int t = 0; t < mask.length; t++) {
      tokens += (int) mask[t];
      for (int i = 0; i < sum.length; i++) {
        sum[i] += mask[t] * hiddenStates[t][i];
      }
    }
    float[] mean = new float[sum.length];
    for (int i = 0; i < sum.length; i++) {
      mean[i] = (float) (sum[i] / tokens);
    }
    return mean;
  }

  private static byte[] onnxFile() throws IOException {
    try (InputStream in = MiniLmImportTest.class.getResourceAsStream("/all-minilm-l6-v2.onnx")) {
      return in.readAllBytes();
    }
  }
}
