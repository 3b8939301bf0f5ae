package io.millrace.svft;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
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
 * A safetensors file: an 8-byte little-endian header length, a JSON header, then the tensors'
 * bytes.
 *
 * <p>What is written is a function of its content alone: metadata and tensors stand in the order of
 * their names and the header is padded with spaces to a multiple of 8. Reading trusts nothing: a
 * length or offset that does not fit is a {@link SafetensorsException} that names the tensor.
 *
 * <p>Only float32 is read and written, since that is what Millrace computes in.
 *
 * @see <a href="https://github.com/huggingface/safetensors#format">the format</a>
 */
public final class Safetensors {
  // A name that stands twice, or bytes after the header's end, would be content that readers see
  // differently.
  private static final ObjectMapper JSON =
      JsonMapper.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build();
  private static final String METADATA = "__metadata__";
  private static final long MAX_HEADER_BYTES = 100_000_000;

  /** A float32 tensor in row-major order. */
  public record Tensor(String name, long[] shape, float[] values) {
    public Tensor {
      if (elements(name, shape) != values.length) {
        throw new IllegalArgumentException(
            name + ": " + values.length + " values do not fill shape " + List.of(boxed(shape)));
      }
    }
  }

  private record Entry(String dtype, long[] shape, long begin, long end) {}

  private final Map<String, String> metadata;
  private final Map<String, Entry> entries;
  private final ByteBuffer data;

  private Safetensors(Map<String, String> metadata, Map<String, Entry> entries, ByteBuffer data) {
    this.metadata = metadata;
    this.entries = entries;
    this.data = data;
  }

  /** Maps a file of at most 2 GiB into memory and reads its header. */
  public static Safetensors open(Path file) throws IOException {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      if (channel.size() > Integer.MAX_VALUE) {
        throw new SafetensorsException(file + ": larger than 2 GiB, which is not supported");
      }
      return parse(channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size()));
    } catch (SafetensorsException e) {
      throw new SafetensorsException(file + ": " + e.getMessage());
    }
  }

  /** Reads from memory; the buffer's remaining bytes are the file. */
  public static Safetensors parse(ByteBuffer file) {
    ByteBuffer bytes = file.slice().order(ByteOrder.LITTLE_ENDIAN);
    if (bytes.remaining() < 8) {
      throw new SafetensorsException("only " + bytes.remaining() + " bytes: no header");
    }
    long headerLength = bytes.getLong();
    if (headerLength < 2 || headerLength > Math.min(bytes.remaining(), MAX_HEADER_BYTES)) {
      throw new SafetensorsException("header length " + headerLength + " does not fit the file");
    }
    byte[] header = new byte[(int) headerLength];
    bytes.get(header);
    ByteBuffer data = bytes.slice().order(ByteOrder.LITTLE_ENDIAN);
    Map<String, String> metadata = new TreeMap<>();
    Map<String, Entry> entries = new LinkedHashMap<>();
    JsonNode root;
    try {
      root = JSON.readTree(header);
    } catch (IOException e) {
      throw new SafetensorsException("the header is not JSON");
    }
    if (root == null || !root.isObject()) {
      throw new SafetensorsException("the header is not a JSON object");
    }
    for (Map.Entry<String, JsonNode> field : root.properties()) {
      if (field.getKey().equals(METADATA)) {
        metadata.putAll(strings(field.getValue()));
      } else {
        entries.put(field.getKey(), entry(field.getKey(), field.getValue(), data.limit()));
      }
    }
    requireGapless(entries, data.limit());
    return new Safetensors(metadata, entries, data);
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
      throw new SafetensorsException(
          "tensor " + name + ": dtype, shape or data_offsets missing or malformed");
    }
    long[] shape = new long[dims.size()];
    for (int i = 0; i < shape.length; i++) {
      shape[i] = dims.get(i).asLong();
    }
    long begin = offsets.get(0).asLong();
    long end = offsets.get(1).asLong();
    if (begin < 0 || end < begin || end > dataLength) {
      throw new SafetensorsException(
          "tensor " + name + ": offsets " + begin + ".." + end + " lie outside the file's data");
    }
    String dtype = node.get("dtype").asText();
    if (dtype.equals("F32") && elements(name, shape) * Float.BYTES != end - begin) {
      throw new SafetensorsException("tensor " + name + ": its bytes do not fill its shape");
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

  /** Tensors that overlap or leave bytes unclaimed could hide content from whoever hashes them. */
  private static void requireGapless(Map<String, Entry> entries, long dataLength) {
    List<Entry> inOrder = new ArrayList<>(entries.values());
    inOrder.sort(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end));
    long at = 0;
    for (Entry entry : inOrder) {
      if (entry.begin() != at) {
        throw new SafetensorsException("tensors overlap or leave a gap at byte " + at);
      }
      at = entry.end();
    }
    if (at != dataLength) {
      throw new SafetensorsException((dataLength - at) + " bytes after the last tensor");
    }
  }

  /** Writes float32 tensors and metadata; equal content gives equal bytes. */
  public static void write(OutputStream out, Map<String, String> metadata, List<Tensor> tensors)
      throws IOException {
    List<Tensor> inOrder = new ArrayList<>(tensors);
    inOrder.sort(Comparator.comparing(Tensor::name));
    ObjectNode root = JSON.createObjectNode();
    if (!metadata.isEmpty()) {
      ObjectNode meta = root.putObject(METADATA);
      new TreeMap<>(metadata).forEach(meta::put);
    }
    long at = 0;
    for (Tensor tensor : inOrder) {
      ObjectNode node = root.putObject(tensor.name());
      node.put("dtype", "F32");
      var shape = node.putArray("shape");
      for (long dim : tensor.shape()) {
        shape.add(dim);
      }
      long end = at + (long) tensor.values().length * Float.BYTES;
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
    out.write(header.array());
    for (Tensor tensor : inOrder) {
      out.write(Floats.toBytes(tensor.values()));
    }
  }

  /** As {@link #write}, into memory. */
  public static byte[] toBytes(Map<String, String> metadata, List<Tensor> tensors) {
    var out = new ByteArrayOutputStream();
    try {
      write(out, metadata, tensors);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return out.toByteArray();
  }

  /** The header's free-form strings, by name. */
  public Map<String, String> metadata() {
    return Collections.unmodifiableMap(metadata);
  }

  /** Names of the tensors, in the header's order. */
  public List<String> names() {
    return List.copyOf(entries.keySet());
  }

  /** Whether there is a tensor of that name. */
  public boolean has(String name) {
    return entries.containsKey(name);
  }

  /** The tensor's shape. */
  public long[] shape(String name) {
    return require(name).shape().clone();
  }

  /** The tensor's values in row-major order. */
  public float[] floats(String name) {
    Entry entry = require(name);
    if (!entry.dtype().equals("F32")) {
      throw new SafetensorsException(
          "tensor " + name + " is " + entry.dtype() + "; only F32 is supported");
    }
    float[] values = new float[(int) ((entry.end() - entry.begin()) / Float.BYTES)];
    data.slice((int) entry.begin(), (int) (entry.end() - entry.begin()))
        .order(ByteOrder.LITTLE_ENDIAN)
        .asFloatBuffer()
        .get(values);
    return values;
  }

  /** The tensor's values, where its shape must be the one given. */
  public float[] floats(String name, long... shape) {
    requireShape(name, shape);
    return floats(name);
  }

  /** Checks that there is a tensor of that name and shape. */
  void requireShape(String name, long... shape) {
    if (!Arrays.equals(require(name).shape(), shape)) {
      throw new SafetensorsException(
          "tensor "
              + name
              + " has shape "
              + List.of(boxed(require(name).shape()))
              + ", expected "
              + List.of(boxed(shape)));
    }
  }

  private Entry require(String name) {
    Entry entry = entries.get(name);
    if (entry == null) {
      throw new SafetensorsException("tensor " + name + " is missing");
    }
    return entry;
  }

  private static long elements(String name, long[] shape) {
    long count = 1;
    for (long dim : shape) {
      if (dim < 0 || (dim > 0 && count > Integer.MAX_VALUE / dim)) {
        throw new SafetensorsException("tensor " + name + ": shape out of range");
      }
      count *= dim;
    }
    return count;
  }

  private static Long[] boxed(long[] shape) {
    return Arrays.stream(shape).boxed().toArray(Long[]::new);
  }
}
