package io.millrace.svft.engine;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.huggingface.tokenizers.Encoding;
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtSession;
import io.millrace.svft.Differences;
import io.millrace.svft.Models;
import io.millrace.svft.Sentences;
import io.millrace.svft.method.AdapterMethod;
import io.millrace.svft.model.BaseModel;
import io.millrace.svft.model.ModelStore;
import io.millrace.svft.model.Pooling;
import io.millrace.svft.tensor.Torch;
import io.millrace.svft.training.RandomState;
import io.millrace.svft.training.TrainingState;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * Embeddings of a hundred sentences of many lengths, from the factored and from the dense weights,
 * equal those of ONNX Runtime on the file that the model was imported from.
 */
@Tag("integration")
@ExtendWith(Models.class)
class OnnxEmbeddingsTest {
  @Test
  void miniLmsAreThoseOfOnnxRuntime(@Models.MiniLm BaseModel base) throws Exception {
    assertSame(base, ModelStore.MINILM, "/all-minilm-l6-v2.onnx");
  }

  @Test
  void bgeSmallsAreThoseOfOnnxRuntime(@Models.BgeSmall BaseModel base) throws Exception {
    assertSame(base, ModelStore.BGE_SMALL, "/bge-small-en-v1.5.onnx");
  }

  private static void assertSame(BaseModel factored, String name, String onnxFile)
      throws Exception {
    List<float[]> expected = onnxRuntime(factored, onnxFile, Sentences.ALL);
    assertThat(expected).hasSize(100);
    assertClose(factored, expected, name + ", factors");
    try (BaseModel dense = BaseModel.load(Models.prepared(name), Torch.device("cpu"), Set.of())) {
      assertClose(dense, expected, name + ", weights");
    }
  }

  private static void assertClose(BaseModel base, List<float[]> expected, String what) {
    AdapterMethod head = AdapterMethod.parse("head");
    TrainingState bare = TrainingState.initial(head, new int[0], new float[0], new float[0]);
    int hidden = base.config().hidden();
    double worst = 0;
    for (int start = 0; start < 100; start += 25) {
      List<String> texts = Sentences.ALL.subList(start, start + 25);
      float[] flat = RandomState.embed(base, bare, base.tokenize(texts));
      for (int i = 0; i < 25; i++) {
        float[] actual = Arrays.copyOfRange(flat, i * hidden, (i + 1) * hidden);
        assertThat(Differences.largest(actual, expected.get(start + i)))
            .as("%s: %s", what, texts.get(i))
            .isLessThan(1e-5);
        worst = Math.max(worst, Differences.largest(actual, expected.get(start + i)));
      }
    }
    System.out.printf("%s: largest difference from ONNX Runtime: %.1e%n", what, worst);
  }

  /** With the model's own tokenizer, truncated to the number of tokens that Millrace reads. */
  private static List<float[]> onnxRuntime(BaseModel base, String onnxFile, List<String> texts)
      throws Exception {
    OrtEnvironment environment = OrtEnvironment.getEnvironment();
    List<float[]> embeddings = new ArrayList<>();
    try (OrtSession session = environment.createSession(resource(onnxFile));
        HuggingFaceTokenizer tokenizer =
            HuggingFaceTokenizer.builder()
                .optTokenizerPath(base.directory().resolve("tokenizer.json"))
                .optTruncation(true)
                .optMaxLength(BaseModel.MAX_TOKENS)
                .optPadding(false)
                .build()) {
      for (String text : texts) {
        Encoding tokens = tokenizer.encode(text);
        try (OnnxTensor ids = tensor(environment, tokens.getIds());
            OnnxTensor mask = tensor(environment, tokens.getAttentionMask());
            OnnxTensor types = tensor(environment, tokens.getTypeIds());
            OrtSession.Result result =
                session.run(
                    Map.of("input_ids", ids, "attention_mask", mask, "token_type_ids", types))) {
          float[][][] hiddenStates = (float[][][]) result.get(0).getValue();
          embeddings.add(
              base.config().pooling() == Pooling.MEAN
                  ? mean(hiddenStates[0], tokens.getAttentionMask())
                  : hiddenStates[0][0]);
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

  private static byte[] resource(String name) throws IOException {
    try (InputStream in = OnnxEmbeddingsTest.class.getResourceAsStream(name)) {
      return in.readAllBytes();
    }
  }
}
