package io.millrace.svft.tensor;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.IValue;
import ai.djl.pytorch.jni.IValueUtils;
import ai.djl.pytorch.jni.JniUtils;
import io.millrace.svft.model.ModelException;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/**
 * The TorchScript program {@code encoder.py}: the encoder's forward pass and its gradients, written
 * out instead of left to autograd. One call per slice takes the place of some thousand calls from
 * Java, and nothing is kept or computed that the gradients asked for do not need.
 *
 * <p>A TorchScript archive is a stored zip of source text and a pickle that names the class.
 */
public final class EncoderScript implements AutoCloseable {
  private static final String SOURCE = "/io/millrace/svft/engine/encoder.py";
  private static final String CLASS = "Encoder";

  private final PtNDManager manager;
  private final PtSymbolBlock module;

  public EncoderScript(NDManager manager) {
    this.manager = (PtNDManager) manager;
    this.module = load(this.manager, SOURCE, CLASS);
  }

  /** Its source text. */
  public static byte[] source() {
    return read(SOURCE);
  }

  /** Loads the program in that resource, which is one class without attributes. */
  public static PtSymbolBlock load(PtNDManager manager, String resource, String className) {
    try {
      byte[] archive = archive(read(resource), className);
      return JniUtils.loadModule(manager, new ByteArrayInputStream(archive), false, false);
    } catch (IOException e) {
      throw new ModelException(resource + ": " + e.getMessage(), e);
    }
  }

  private static byte[] read(String resource) {
    try (InputStream in = EncoderScript.class.getResourceAsStream(resource)) {
      return in.readAllBytes();
    } catch (IOException e) {
      throw new ModelException(resource + ": " + e.getMessage(), e);
    }
  }

  private static byte[] archive(byte[] source, String className) throws IOException {
    ByteArrayOutputStream pickle = new ByteArrayOutputStream();
    // Protocol 2: an object of the class, made without arguments, with the state {training: True}.
    pickle.write(new byte[] {(byte) 0x80, 2});
    pickle.writeBytes(("c__torch__\n" + className + "\n").getBytes(StandardCharsets.US_ASCII));
    pickle.write(new byte[] {')', (byte) 0x81, '}', 'X', 8, 0, 0, 0});
    pickle.writeBytes("training".getBytes(StandardCharsets.US_ASCII));
    pickle.write(new byte[] {(byte) 0x88, 's', 'b', '.'});
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
      store(zip, "data.pkl", pickle.toByteArray());
      store(zip, "code/__torch__.py", source);
      store(zip, "constants.pkl", new byte[] {(byte) 0x80, 2, ')', '.'});
      store(zip, "version", "3\n".getBytes(StandardCharsets.US_ASCII));
    }
    return bytes.toByteArray();
  }

  private static void store(ZipOutputStream zip, String name, byte[] content) throws IOException {
    CRC32 crc = new CRC32();
    crc.update(content);
    ZipEntry entry = new ZipEntry("encoder/" + name);
    entry.setMethod(ZipEntry.STORED);
    entry.setSize(content.length);
    entry.setCrc(crc.getValue());
    zip.putNextEntry(entry);
    zip.write(content);
    zip.closeEntry();
  }

  /**
   * Runs a method. The results belong to the caller's {@link ai.djl.ndarray.NDScope}; the arguments
   * stay the caller's.
   */
  public List<NDArray> call(String method, IValue... arguments) {
    Torch.prepareThread();
    try (IValue result = IValueUtils.runMethod(module, method, arguments)) {
      List<NDArray> arrays = new ArrayList<>();
      if (result.isTensor()) {
        arrays.add(result.toTensor(manager));
      } else {
        arrays.addAll(List.of(result.toTensorArray(manager)));
      }
      return arrays;
    }
  }

  public static IValue tensors(List<NDArray> arrays) {
    return IValue.listFrom(arrays.toArray(PtNDArray[]::new));
  }

  public static IValue tensor(NDArray array) {
    return IValue.from((PtNDArray) array);
  }

  /** A list of lists; no lists within may be empty alone, since an empty one has no type. */
  public static IValue lists(List<List<NDArray>> lists) {
    IValue[] inner = lists.stream().map(EncoderScript::tensors).toArray(IValue[]::new);
    try {
      return IValue.listFrom(inner);
    } finally {
      for (IValue each : inner) {
        each.close();
      }
    }
  }

  @Override
  public void close() {
    module.close();
  }
}
