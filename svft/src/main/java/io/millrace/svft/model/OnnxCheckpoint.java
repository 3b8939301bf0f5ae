package io.millrace.svft.model;

import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import io.millrace.svft.tensor.Floats;
import io.millrace.svft.tensor.Safetensors;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads the tensors of a BERT encoder from an ONNX file that PyTorch's exporter wrote.
 *
 * <p>In such a file, embeddings, biases and normalisations have their Hugging Face names. Linear
 * weights are anonymous initializers [in, out]. Their module is known from the MatMul node that
 * uses them ({@code /encoder/layer.0/attention/self/query/MatMul}). This class returns them as
 * [out, in] under {@code encoder.layer.0.attention.self.query.weight}.
 */
final class OnnxCheckpoint {
  private final Map<String, TensorProto> initializers = new LinkedHashMap<>();
  private final Map<String, String> matMulWeights = new LinkedHashMap<>();

  OnnxCheckpoint(InputStream file) throws IOException {
    GraphProto graph = ModelProto.parseFrom(file).getGraph();
    for (TensorProto tensor : graph.getInitializerList()) {
      initializers.put(tensor.getName(), tensor);
    }
    for (NodeProto node : graph.getNodeList()) {
      if (node.getOpType().equals("MatMul") && initializers.containsKey(node.getInput(1))) {
        String module = node.getName().replaceAll("^/|/MatMul$", "").replace('/', '.');
        matMulWeights.put(module, node.getInput(1));
      }
    }
  }

  /**
   * Every tensor of the encoder, under its Hugging Face name.
   *
   * @throws IllegalArgumentException if a tensor is not float32
   */
  List<Safetensors.Tensor> tensors() {
    List<Safetensors.Tensor> tensors = new ArrayList<>();
    for (String name : initializers.keySet()) {
      boolean encoder = name.startsWith("embeddings.") || name.startsWith("encoder.layer.");
      // position_ids is not a weight but the exporter's constant 0, 1, 2, ....
      if (encoder && !name.equals("embeddings.position_ids")) {
        tensors.add(new Safetensors.Tensor(name, shape(name), values(name)));
      }
    }
    matMulWeights.forEach(
        (module, initializer) -> {
          if (module.startsWith("encoder.layer.")) {
            tensors.add(transposed(module + ".weight", initializer));
          }
        });
    return tensors;
  }

  private Safetensors.Tensor transposed(String name, String initializer) {
    long[] shape = shape(initializer);
    int in = (int) shape[0];
    int out = (int) shape[1];
    float[] stored = values(initializer);
    float[] weight = new float[stored.length];
    for (int i = 0; i < in; i++) {
      for (int o = 0; o < out; o++) {
        weight[o * in + i] = stored[i * out + o];
      }
    }
    return new Safetensors.Tensor(name, new long[] {out, in}, weight);
  }

  private long[] shape(String initializer) {
    return initializers.get(initializer).getDimsList().stream().mapToLong(d -> d).toArray();
  }

  private float[] values(String initializer) {
    TensorProto tensor = initializers.get(initializer);
    if (tensor.getDataType() != TensorProto.DataType.FLOAT.getNumber()) {
      throw new IllegalArgumentException("ONNX tensor " + initializer + " is not float32");
    }
    return Floats.fromBytes(ByteBuffer.wrap(tensor.getRawData().toByteArray()));
  }
}
