package io.millrace.svft.tensor;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.IValue;
import ai.djl.pytorch.jni.IValueUtils;
import ai.djl.pytorch.jni.JniUtils;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/**
 * A TorchScript program that is loaded from source text. It consists of one class without
 * attributes, and of pieces: files of functions that the class and the other pieces call as {@code
 * __torch__.<piece>.<function>}. One call of the program replaces about a thousand calls of single
 * operators from Java.
 *
 * <p>A TorchScript archive is an uncompressed zip file that holds the source text and a pickle that
 * names the class.
 */
public final class TorchScript implements AutoCloseable {

  /**
   * The class path resources that hold a program's source.
   *
   * @param directory of the resources on the class path, such as {@code /io/millrace/svft/engine/}
   * @param className the class; its file is {@code <className in lower case>.py}
   * @param pieces the other files, without {@code .py}; one in a folder below is called by its name
   *     alone
   */
  public record Source(String directory, String className, List<String> pieces) {

    private String main() {
      return file(className.toLowerCase(Locale.ROOT));
    }

    private String file(String name) {
      return directory + name + ".py";
    }

    /**
     * The whole source text: the class's file, then the pieces in their order.
     *
     * @throws UncheckedIOException if a resource cannot be read
     */
    public byte[] text() {
      ByteArrayOutputStream all = new ByteArrayOutputStream();
      all.writeBytes(read(main()));
      pieces.forEach(piece -> all.writeBytes(read(file(piece))));
      return all.toByteArray();
    }
  }

  private final PtNDManager manager;
  private final PtSymbolBlock module;

  /**
   * Loads a program.
   *
   * @param manager determines the device; owns the program and its results, except results that
   *     belong to a scope of the caller
   * @throws UncheckedIOException if the program cannot be loaded
   */
  public TorchScript(NDManager manager, Source source) {
    this.manager = (PtNDManager) manager;
    try {
      this.module =
          JniUtils.loadModule(
              this.manager, new ByteArrayInputStream(archive(source)), false, false);
    } catch (IOException e) {
      throw new UncheckedIOException(source.main(), e);
    }
  }

  private static byte[] read(String resource) {
    try (InputStream in = TorchScript.class.getResourceAsStream(resource)) {
      return in.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(resource, e);
    }
  }

  private static byte[] archive(Source source) throws IOException {
    ByteArrayOutputStream pickle = new ByteArrayOutputStream();
    // Pickle protocol 2: an instance of the class, created without arguments, whose state is
    // {training: True}.
    pickle.write(new byte[] {(byte) 0x80, 2});
    pickle.writeBytes(
        ("c__torch__\n" + source.className() + "\n").getBytes(StandardCharsets.US_ASCII));
    pickle.write(new byte[] {')', (byte) 0x81, '}', 'X', 8, 0, 0, 0});
    pickle.writeBytes("training".getBytes(StandardCharsets.US_ASCII));
    pickle.write(new byte[] {(byte) 0x88, 's', 'b', '.'});
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
      store(zip, "data.pkl", pickle.toByteArray());
      store(zip, "code/__torch__.py", read(source.main()));
      for (String piece : source.pieces()) {
        String name = piece.substring(piece.lastIndexOf('/') + 1);
        store(zip, "code/__torch__/" + name + ".py", read(source.file(piece)));
      }
      store(zip, "constants.pkl", new byte[] {(byte) 0x80, 2, ')', '.'});
      store(zip, "version", "3\n".getBytes(StandardCharsets.US_ASCII));
    }
    return bytes.toByteArray();
  }

  private static void store(ZipOutputStream zip, String name, byte[] content) throws IOException {
    CRC32 crc = new CRC32();
    crc.update(content);
    ZipEntry entry = new ZipEntry("program/" + name);
    entry.setMethod(ZipEntry.STORED);
    entry.setSize(content.length);
    entry.setCrc(crc.getValue());
    zip.putNextEntry(entry);
    zip.write(content);
    zip.closeEntry();
  }

  /**
   * Runs a method of the class. The results belong to the caller's {@link ai.djl.ndarray.NDScope}.
   * The caller keeps and closes the arguments.
   *
   * @return the tensor, or the list of tensors, that the method returns
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

  /** Runs a method that takes no arguments and returns a string. */
  public String text(String method) {
    Torch.prepareThread();
    try (IValue result = IValueUtils.runMethod(module, method)) {
      return result.toStringValue();
    }
  }

  /** An argument of type {@code List[Tensor]}. The caller closes it. */
  public static IValue tensors(List<NDArray> arrays) {
    return IValue.listFrom(arrays.toArray(PtNDArray[]::new));
  }

  /** An argument of type {@code Tensor}. The caller closes it. */
  public static IValue tensor(NDArray array) {
    return IValue.from((PtNDArray) array);
  }

  /**
   * An argument of type {@code List[List[Tensor]]}. The caller closes it.
   *
   * @param lists not empty, because an empty outer list has no element type; inner lists may be
   *     empty
   */
  public static IValue lists(List<List<NDArray>> lists) {
    IValue[] inner = lists.stream().map(TorchScript::tensors).toArray(IValue[]::new);
    try {
      return IValue.listFrom(inner);
    } finally {
      for (IValue each : inner) {
        each.close();
      }
    }
  }

  /** An argument of type {@code List[List[int]]}. The caller closes it. */
  public static IValue numbers(List<long[]> lists) {
    IValue[] inner = lists.stream().map(IValue::listFrom).toArray(IValue[]::new);
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
