package io.millrace.benchmarks.model;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Arrays;
import java.util.Map;

/** MiniLM in ONNX Runtime, every sequence padded to the longest: the usual way to serve it. */
public final class OnnxEncoder implements AutoCloseable {
  private static final String FILE = "/all-minilm-l6-v2.onnx";

  private final OrtEnvironment environment = OrtEnvironment.getEnvironment();
  private final OrtSession session;

  /**
   * @param threads that share an operator
   */
  public OnnxEncoder(int threads) {
    try (InputStream file = OnnxEncoder.class.getResourceAsStream(FILE);
        OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
      options.setIntraOpNumThreads(threads);
      options.setInterOpNumThreads(1);
      options.setOptimizationLevel(OrtSession.SessionOptions.OptLevel.ALL_OPT);
      this.session = environment.createSession(file.readAllBytes(), options);
    } catch (OrtException e) {
      throw new IllegalStateException(e);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Means of the last hidden states: [sequences, hidden]. */
  public float[][] embed(long[][] ids) {
    int longest = Arrays.stream(ids).mapToInt(each -> each.length).max().orElseThrow();
    long[][] padded = new long[ids.length][];
    long[][] mask = new long[ids.length][longest];
    for (int i = 0; i < ids.length; i++) {
      padded[i] = Arrays.copyOf(ids[i], longest);
      Arrays.fill(mask[i], 0, ids[i].length, 1);
    }
    try (OnnxTensor words = OnnxTensor.createTensor(environment, padded);
        OnnxTensor present = OnnxTensor.createTensor(environment, mask);
        OnnxTensor types = OnnxTensor.createTensor(environment, new long[ids.length][longest]);
        OrtSession.Result result =
            session.run(
                Map.of("input_ids", words, "attention_mask", present, "token_type_ids", types))) {
      return means(((OnnxTensor) result.get(0)).getFloatBuffer().array(), ids, longest);
    } catch (OrtException e) {
      throw new IllegalStateException(e);
    }
  }

  /**
   * @param states [sequences, longest, hidden]
   */
  private static float[][] means(float[] states, long[][] ids, int longest) {
    int hidden = states.length / (ids.length * longest);
    float[][] means = new float[ids.length][hidden];
    for (int s = 0; s < ids.length; s++) {
      for (int t = 0; t < ids[s].length; t++) {
        int row = (s * longest + t) * hidden;
        for (int i = 0; i < hidden; i++) {
          means[s][i] += states[row + i] / ids[s].length;
        }
      }
    }
    return means;
  }

  @Override
  public void close() {
    try {
      session.close();
    } catch (OrtException e) {
      throw new IllegalStateException(e);
    }
  }
}
