package io.millrace.svft.tensor;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The content of a safetensors file: an 8-byte little-endian header length, a JSON header, then the
 * tensors' bytes.
 *
 * <p>The bytes written depend on the content alone: metadata and tensors are sorted by name, and
 * the header is padded with spaces to a multiple of 8 bytes. The reader checks every length and
 * offset. One that does not fit causes a {@link SafetensorsException} that names the tensor.
 *
 * <p>Two types can be read and written: float32, in which Millrace computes, and int32, for
 * positions. A file may hold tensors of other types, but their values cannot be read.
 *
 * @see <a href="https://github.com/huggingface/safetensors#format">the format</a>
 */
public final class Safetensors {
  // Rejects duplicate names and bytes after the JSON object: parsers disagree on what
  // such a header contains.
  private static final ObjectMapper JSON =
      JsonMapper.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build();
  private static final String METADATA = "__metadata__";
  private static final long MAX_HEADER_BYTES = 100_000_000;
  private static final int CHUNK_BYTES = 1 << 20;

  /**
   * Bytes per value, by type. A tensor of a type that is not listed stays in the header; its length
   * cannot be checked and its values cannot be read.
   */
  private static final Map<String, Integer> VALUE_BYTES =
      Map.ofEntries(
          Map.entry("BOOL", 1),
          Map.entry("U8", 1),
          Map.entry("I8", 1),
          Map.entry("F8_E4M3", 1),
          Map.entry("F8_E5M2", 1),
          Map.entry("F8_E8M0", 1),
          Map.entry("I16", 2),
          Map.entry("U16", 2),
          Map.entry("F16", 2),
          Map.entry("BF16", 2),
          Map.entry("I32", 4),
          Map.entry("U32", 4),
          Map.entry("F32", 4),
          Map.entry("I64", 8),
          Map.entry("U64", 8),
          Map.entry("F64", 8),
          Map.entry("C64", 8));

  /** A tensor that can be written. Its values are in row-major order. */
  public sealed interface AnyTensor permits Tensor, IntTensor, StoredTensor {
    String name();

    long[] shape();
  }

  /** A float32 tensor. */
  public record Tensor(String name, long[] shape, float[] values) implements AnyTensor {
    public Tensor {
      requireFilled(name, shape, values.length);
    }
  }

  /** An int32 tensor. */
  public record IntTensor(String name, long[] shape, int[] values) implements AnyTensor {
    public IntTensor {
      requireFilled(name, shape, values.length);
    }
  }

  /** A float32 tensor of an open file, possibly under another name. It is copied in chunks. */
  public record StoredTensor(String name, Safetensors file, String nameInFile)
      implements AnyTensor {
    public StoredTensor {
      file.bytes(nameInFile, "F32");
    }

    @Override
    public long[] shape() {
      return file.shape(nameInFile);
    }
  }

  private record Entry(String dtype, long[] shape, long begin, long end) {
    long length() {
      return end - begin;
    }
  }

  private record Header(Map<String, String> metadata, Map<String, Entry> entries) {}

  private final Header header;
  // Each tensor's bytes. Tensors that exceed one buffer have no entry.
  private final Map<String, ByteBuffer> data;

  private Safetensors(Header header, Map<String, ByteBuffer> data) {
    this.header = header;
    this.data = data;
  }

  /**
   * Maps a file into memory. Values of tensors up to 2 GiB can be read.
   *
   * @throws SafetensorsException if the file is not a valid safetensors file; the message names the
   *     file
   * @throws IOException if the file cannot be read
   */
  public static Safetensors open(Path file) throws IOException {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      long size = channel.size();
      if (size <= Integer.MAX_VALUE) {
        return parse(channel.map(FileChannel.MapMode.READ_ONLY, 0, size));
      }
      long at = 8 + headerLength(channel.map(FileChannel.MapMode.READ_ONLY, 0, 8), size);
      Header header =
          header(
              channel.map(FileChannel.MapMode.READ_ONLY, 8, at - 8).order(ByteOrder.LITTLE_ENDIAN),
              size - at);
      Map<String, ByteBuffer> data = new LinkedHashMap<>();
      for (Map.Entry<String, Entry> each : header.entries().entrySet()) {
        Entry entry = each.getValue();
        if (entry.length() <= Integer.MAX_VALUE) {
          data.put(
              each.getKey(),
              channel.map(FileChannel.MapMode.READ_ONLY, at + entry.begin(), entry.length()));
        }
      }
      return new Safetensors(header, data);
    } catch (SafetensorsException e) {
      throw new SafetensorsException(file + ": " + e.getMessage());
    }
  }

  /**
   * Reads a file from memory: the buffer's remaining bytes. They are not copied.
   *
   * @throws SafetensorsException if they are not a valid safetensors file
   */
  public static Safetensors parse(ByteBuffer file) {
    ByteBuffer bytes = file.slice();
    int length = (int) headerLength(bytes, bytes.limit());
    ByteBuffer all = bytes.slice(8 + length, bytes.limit() - 8 - length);
    Header header = header(bytes.slice(8, length), all.limit());
    Map<String, ByteBuffer> data = new LinkedHashMap<>();
    header
        .entries()
        .forEach(
            (name, entry) -> data.put(name, all.slice((int) entry.begin(), (int) entry.length())));
    return new Safetensors(header, data);
  }

  private static long headerLength(ByteBuffer file, long size) {
    if (size < 8) {
      throw new SafetensorsException("only " + size + " bytes: no header");
    }
    long length = file.order(ByteOrder.LITTLE_ENDIAN).getLong(0);
    if (length < 2 || length > Math.min(size - 8, MAX_HEADER_BYTES)) {
      throw new SafetensorsException("header length " + length + " does not fit the file");
    }
    return length;
  }

  private static Header header(ByteBuffer json, long dataLength) {
    if (json.get(0) != '{') {
      throw new SafetensorsException("the header is not a JSON object");
    }
    JsonNode root;
    try {
      // The format prescribes UTF-8; Jackson would also accept other encodings.
      root = JSON.readTree(StandardCharsets.UTF_8.newDecoder().decode(json).toString());
    } catch (CharacterCodingException e) {
      throw new SafetensorsException("the header is not UTF-8");
    } catch (JsonProcessingException e) {
      throw new SafetensorsException("the header is not JSON: " + oneLine(e.getOriginalMessage()));
    }
    Map<String, String> metadata = new TreeMap<>();
    Map<String, Entry> entries = new LinkedHashMap<>();
    for (Map.Entry<String, JsonNode> field : root.properties()) {
      if (field.getKey().equals(METADATA)) {
        metadata.putAll(strings(field.getValue()));
      } else {
        entries.put(field.getKey(), entry(field.getKey(), field.getValue(), dataLength));
      }
    }
    requireGapless(entries, dataLength);
    return new Header(Collections.unmodifiableMap(metadata), entries);
  }

  private static Map<String, String> strings(JsonNode node) {
    Map<String, String> strings = new TreeMap<>();
    node.properties().forEach(m -> strings.put(m.getKey(), m.getValue().textValue()));
    if (!node.isObject() || strings.containsValue(null)) {
      throw new SafetensorsException(METADATA + " is not an object of strings");
    }
    return strings;
  }

  private static Entry entry(String name, JsonNode node, long dataLength) {
    JsonNode offsets = node.path("data_offsets");
    JsonNode dims = node.path("shape");
    if (!node.path("dtype").isTextual()
        || !areLongs(dims)
        || !areLongs(offsets)
        || offsets.size() != 2) {
      throw broken(name, "dtype, shape or data_offsets missing or malformed");
    }
    long[] shape = new long[dims.size()];
    for (int i = 0; i < shape.length; i++) {
      shape[i] = dims.get(i).asLong();
    }
    long begin = offsets.get(0).asLong();
    long end = offsets.get(1).asLong();
    if (begin < 0 || end < begin || end > dataLength) {
      throw broken(
          name,
          "offsets %d..%d lie outside the file's data, which has %d bytes"
              .formatted(begin, end, dataLength));
    }
    String dtype = node.get("dtype").asText();
    Integer valueBytes = VALUE_BYTES.get(dtype);
    long elements = elements(name, shape);
    if (valueBytes != null && elements * valueBytes != end - begin) {
      throw broken(
          name,
          "its bytes do not fill its shape: %d bytes for shape %s of %s"
              .formatted(end - begin, shown(shape), dtype));
    }
    return new Entry(dtype, shape, begin, end);
  }

  private static boolean areLongs(JsonNode array) {
    boolean longs = array.isArray();
    for (JsonNode each : array) {
      longs &= each.isIntegralNumber() && each.canConvertToLong();
    }
    return longs;
  }

  /**
   * Rejects tensors that overlap and bytes that belong to no tensor: hashes of the tensors would
   * not cover such content.
   */
  private static void requireGapless(Map<String, Entry> entries, long dataLength) {
    List<Map.Entry<String, Entry>> inOrder = new ArrayList<>(entries.entrySet());
    inOrder.sort(
        Comparator.comparingLong((Map.Entry<String, Entry> each) -> each.getValue().begin())
            .thenComparingLong(each -> each.getValue().end()));
    long at = 0;
    for (Map.Entry<String, Entry> each : inOrder) {
      if (each.getValue().begin() != at) {
        throw broken(
            each.getKey(),
            "tensors overlap or leave a gap at byte %d: it begins at byte %d"
                .formatted(at, each.getValue().begin()));
      }
      at = each.getValue().end();
    }
    if (at != dataLength) {
      throw new SafetensorsException((dataLength - at) + " bytes after the last tensor");
    }
  }

  /**
   * Writes tensors and metadata. Equal content gives equal bytes.
   *
   * @throws IllegalArgumentException if two tensors have the same name
   */
  public static void write(
      OutputStream out, Map<String, String> metadata, List<? extends AnyTensor> tensors)
      throws IOException {
    List<AnyTensor> inOrder = inOrder(tensors);
    write(out, header(metadata, inOrder), inOrder);
  }

  private static List<AnyTensor> inOrder(List<? extends AnyTensor> tensors) {
    List<AnyTensor> inOrder = new ArrayList<>(tensors);
    inOrder.sort(Comparator.comparing(AnyTensor::name));
    return inOrder;
  }

  /** The bytes before the tensors' own. */
  private static byte[] header(Map<String, String> metadata, List<AnyTensor> inOrder)
      throws JsonProcessingException {
    ObjectNode root = JSON.createObjectNode();
    if (!metadata.isEmpty()) {
      ObjectNode meta = root.putObject(METADATA);
      new TreeMap<>(metadata).forEach(meta::put);
    }
    long at = 0;
    for (AnyTensor tensor : inOrder) {
      if (root.has(tensor.name())) {
        throw new IllegalArgumentException("tensor " + tensor.name() + " stands twice");
      }
      ObjectNode node = root.putObject(tensor.name());
      node.put("dtype", tensor instanceof IntTensor ? "I32" : "F32");
      var shape = node.putArray("shape");
      for (long dim : tensor.shape()) {
        shape.add(dim);
      }
      long end = at + 4 * elements(tensor.name(), tensor.shape());
      node.putArray("data_offsets").add(at).add(end);
      at = end;
    }
    byte[] json = JSON.writeValueAsString(root).getBytes(StandardCharsets.UTF_8);
    int padded = (json.length + 7) / 8 * 8;
    ByteBuffer header = ByteBuffer.allocate(8 + padded).order(ByteOrder.LITTLE_ENDIAN);
    header.putLong(padded).put(json);
    while (header.hasRemaining()) {
      header.put((byte) ' ');
    }
    return header.array();
  }

  private static void write(OutputStream out, byte[] header, List<AnyTensor> inOrder)
      throws IOException {
    out.write(header);
    long longest =
        inOrder.stream().mapToLong(each -> elements(each.name(), each.shape())).max().orElse(0);
    byte[] chunk = new byte[(int) Math.min(CHUNK_BYTES, 4 * longest)];
    for (AnyTensor tensor : inOrder) {
      writeValues(out, tensor, chunk);
    }
  }

  /** Writes the values in chunks, which avoids a second copy of the tensor. */
  private static void writeValues(OutputStream out, AnyTensor tensor, byte[] chunk)
      throws IOException {
    ByteBuffer bytes = ByteBuffer.wrap(chunk).order(ByteOrder.LITTLE_ENDIAN);
    int perChunk = chunk.length / 4;
    if (tensor instanceof Tensor t) {
      for (int at = 0; at < t.values().length; at += perChunk) {
        int count = Math.min(perChunk, t.values().length - at);
        bytes.asFloatBuffer().put(t.values(), at, count);
        out.write(chunk, 0, 4 * count);
      }
    } else if (tensor instanceof IntTensor t) {
      for (int at = 0; at < t.values().length; at += perChunk) {
        int count = Math.min(perChunk, t.values().length - at);
        bytes.asIntBuffer().put(t.values(), at, count);
        out.write(chunk, 0, 4 * count);
      }
    } else if (tensor instanceof StoredTensor t) {
      ByteBuffer stored = t.file().bytes(t.nameInFile(), "F32");
      while (stored.hasRemaining()) {
        int count = Math.min(chunk.length, stored.remaining());
        stored.get(chunk, 0, count);
        out.write(chunk, 0, count);
      }
    }
  }

  /**
   * Like {@link #write}, but returns the bytes, of which there is no second copy at any time.
   *
   * @throws ArithmeticException if they exceed an array
   */
  public static byte[] toBytes(Map<String, String> metadata, List<? extends AnyTensor> tensors) {
    List<AnyTensor> inOrder = inOrder(tensors);
    try {
      byte[] header = header(metadata, inOrder);
      long bytes = header.length;
      for (AnyTensor tensor : inOrder) {
        bytes += 4 * elements(tensor.name(), tensor.shape());
      }
      ByteBuffer all = ByteBuffer.allocate(Math.toIntExact(bytes));
      write(into(all), header, inOrder);
      return all.array();
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static OutputStream into(ByteBuffer all) {
    return new OutputStream() {
      @Override
      public void write(int one) {
        all.put((byte) one);
      }

      @Override
      public void write(byte[] from, int offset, int length) {
        all.put(from, offset, length);
      }
    };
  }

  /** The strings of the header's {@code __metadata__}, by name. */
  public Map<String, String> metadata() {
    return header.metadata();
  }

  /** The names of the tensors, in the header's order. */
  public List<String> names() {
    return List.copyOf(header.entries().keySet());
  }

  /** Whether the file has a tensor of this name. */
  public boolean has(String name) {
    return header.entries().containsKey(name);
  }

  /**
   * A copy of the tensor's shape.
   *
   * @throws SafetensorsException if the tensor is missing
   */
  public long[] shape(String name) {
    return require(name).shape().clone();
  }

  /**
   * The tensor's type as the format names it, such as {@code F32} or {@code I64}.
   *
   * @throws SafetensorsException if the tensor is missing
   */
  public String dtype(String name) {
    return require(name).dtype();
  }

  /**
   * The float32 tensor's values in row-major order.
   *
   * @throws SafetensorsException if the tensor is missing, has another type, or exceeds 2 GiB
   */
  public float[] floats(String name) {
    FloatBuffer stored = floatBuffer(name);
    float[] values = new float[stored.remaining()];
    stored.get(values);
    return values;
  }

  /**
   * The float32 tensor's values in row-major order. Its shape must be the given one.
   *
   * @throws SafetensorsException if the tensor is missing, has another shape or type, or exceeds 2
   *     GiB
   */
  public float[] floats(String name, long... shape) {
    requireShape(name, shape);
    return floats(name);
  }

  /**
   * A read-only view of the float32 tensor's values in row-major order. A mapped file is read on
   * access.
   *
   * @throws SafetensorsException if the tensor is missing, has another type, or exceeds 2 GiB
   */
  public FloatBuffer floatBuffer(String name) {
    return bytes(name, "F32").asFloatBuffer();
  }

  /**
   * The int32 tensor's values in row-major order. Its shape must be the given one.
   *
   * @throws SafetensorsException if the tensor is missing, has another shape or type, or exceeds 2
   *     GiB
   */
  public int[] ints(String name, long... shape) {
    requireShape(name, shape);
    return ints(name);
  }

  /**
   * The int32 tensor's values in row-major order.
   *
   * @throws SafetensorsException if the tensor is missing, has another type, or exceeds 2 GiB
   */
  public int[] ints(String name) {
    ByteBuffer stored = bytes(name, "I32");
    int[] values = new int[stored.remaining() / Integer.BYTES];
    stored.asIntBuffer().get(values);
    return values;
  }

  /**
   * Checks that the file has a tensor of this name and shape.
   *
   * @throws SafetensorsException if the tensor is missing or has another shape
   */
  public void requireShape(String name, long... shape) {
    if (!Arrays.equals(require(name).shape(), shape)) {
      throw new SafetensorsException(
          "tensor "
              + oneLine(name)
              + " has shape "
              + shown(require(name).shape())
              + ", expected "
              + shown(shape));
    }
  }

  /** A read-only, little-endian view of the tensor's bytes with its own position. */
  private ByteBuffer bytes(String name, String dtype) {
    Entry entry = require(name);
    if (!entry.dtype().equals(dtype)) {
      throw new SafetensorsException(
          "tensor %s is %s; only %s is supported"
              .formatted(oneLine(name), oneLine(entry.dtype()), dtype));
    }
    ByteBuffer bytes = data.get(name);
    if (bytes == null) {
      throw broken(name, "its %d bytes are more than 2 GiB".formatted(entry.length()));
    }
    return bytes.asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN);
  }

  private Entry require(String name) {
    Entry entry = header.entries().get(name);
    if (entry == null) {
      throw new SafetensorsException("tensor " + oneLine(name) + " is missing");
    }
    return entry;
  }

  private static void requireFilled(String name, long[] shape, int values) {
    if (elements(name, shape) != values) {
      throw new IllegalArgumentException(
          name + ": " + values + " values do not fill shape " + shown(shape));
    }
  }

  private static long elements(String name, long[] shape) {
    long count = 1;
    for (long dim : shape) {
      if (dim < 0 || (dim > 0 && count > Integer.MAX_VALUE / dim)) {
        throw broken(name, "shape out of range");
      }
      count *= dim;
    }
    return count;
  }

  private static SafetensorsException broken(String tensor, String why) {
    return new SafetensorsException("tensor " + oneLine(tensor) + ": " + why);
  }

  /**
   * Makes text from a file fit for a message: replaces control and format characters and line
   * separators by {@code ?} and shortens the text to 200 characters.
   */
  public static String oneLine(String text) {
    String line = text.replaceAll("[\\p{Cc}\\p{Cf}\\u2028\\u2029]", "?");
    return line.length() <= 200 ? line : line.substring(0, 200) + "...";
  }

  private static String shown(long[] shape) {
    return oneLine(Arrays.stream(shape).boxed().toList().toString());
  }
}
