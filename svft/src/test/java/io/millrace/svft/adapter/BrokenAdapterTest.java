package io.millrace.svft.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.ThreadMXBean;
import io.millrace.svft.method.AdapterException;
import io.millrace.svft.tensor.Safetensors;
import io.millrace.svft.tensor.Sha256;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * A broken payload is refused with a message of one line, without memory beyond its size, and a
 * payload is accepted only in its canonical bytes.
 */
@Tag("unit")
class BrokenAdapterTest {
  private static final long ALLOWED_BYTES = 4 << 20;

  private final byte[] payload = HandmadeAdapter.create().toPayload();

  @Test
  void everyChangedByteOfTheHeaderIsNoticed() {
    Random random = new Random(11);
    int headerEnd = payload.length - HandmadeAdapter.create().values().length * 4 - 24;
    for (int at = 0; at < headerEnd; at++) {
      for (byte value : new byte[] {(byte) (payload[at] ^ 1), ' ', '0', (byte) random.nextInt()}) {
        byte[] changed = payload.clone();
        changed[at] = value;
        if (value != payload[at]) {
          assertRefusedOrAnotherVersion(changed, "byte " + at + " as " + value);
        }
      }
    }
  }

  @Test
  void everyTruncationIsRefused() {
    for (int length = 0; length < payload.length; length++) {
      byte[] truncated = Arrays.copyOf(payload, length);
      assertThatThrownBy(() -> read(truncated)).isInstanceOf(AdapterException.class);
    }
  }

  @Test
  void randomDamageIsNoticed() {
    Random random = new Random(12);
    for (int round = 0; round < 3_000; round++) {
      byte[] changed = payload.clone();
      int at = random.nextInt(changed.length);
      int length = Math.min(1 + random.nextInt(12), changed.length - at);
      System.arraycopy(payload, random.nextInt(changed.length - length), changed, at, length);
      if (!Arrays.equals(changed, payload)) {
        assertRefusedOrAnotherVersion(changed, "round " + round);
      }
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "format    | pt                        | format is pt, expected millrace-adapter-1",
        "pattern   | plain                     | its bytes are not those its content is written in",
        "method    | distill                   | unknown adapter method \"distill\"",
        "method    | svft:diagonal             | unknown pattern \"diagonal\"",
        "method    | svft                      | its bytes are not those its content is written in",
        "method    | svft:banded:1             | query.svft.m has shape [2], expected [4]",
        "method    | svft:plain;rank=1         | svft.m has shape [2], expected [1]",
        "method    | svft:random:0             | query.svft.index is missing",
        "method    | lora                      | query.lora_A.weight is missing",
        "method    | full                      | query.weight is missing",
        "method    | head                      | its bytes are not those its content is written in",
        "version   | one                       | version is one",
        "version   | 0                         | version is 0",
        "config    | null                      | config",
        "config    | {}                        | not an encoder",
        "labels    | null                      | labels",
        "labels    | [null,null]               | labels",
        "labels    | [\"x\",\"x\"]             | labels",
        "labels    | [\"x\"]                   | head.weight",
        "labels    | {\"x\":1}                 | List",
      })
  void metadataThatMakesNoSenseIsRefused(String key, String value, String message) {
    byte[] changed = with(metadata -> metadata.put(key, value));

    assertThatThrownBy(() -> read(changed))
        .isInstanceOf(AdapterException.class)
        .hasMessageStartingWith("adapter payload: ")
        .hasMessageContaining(message)
        .message()
        .doesNotContain("\n");
  }

  @ParameterizedTest
  @CsvSource({
    "2000000000, 2, 3",
    "1000, 2, 3",
    "1, 3, 2147483647",
    "1, 1000000000, 1000000000",
    "1, 2147483646, 2147483647",
    "100000000, 100000, 100000",
  })
  void aShapeLargerThanThePayloadTakesNoMemory(int layers, int hidden, int intermediate) {
    String config =
        ("{\"architecture\":\"bert\",\"pooling\":\"mean\",\"layers\":%d,\"hidden\":%d,"
                + "\"heads\":1,\"intermediate\":%d,\"vocabulary\":10,\"maxPositions\":8,"
                + "\"positionOffset\":0,\"typeVocabulary\":2,\"layerNormEps\":1.0E-12}")
            .formatted(layers, hidden, intermediate);
    for (String method :
        List.of(
            "svft:plain",
            "svft:banded:1000000",
            "svft:random:1:0",
            "svft:gradient:1",
            "lora:2000000000;alpha=1",
            "full")) {
      byte[] changed =
          with(
              metadata -> {
                metadata.put("config", config);
                metadata.put("method", method);
              });

      assertThatThrownBy(() -> read(changed))
          .as(method)
          .isInstanceOf(AdapterException.class)
          .hasMessageStartingWith("adapter payload: ")
          .hasMessageNotContaining("not an encoder");
    }
  }

  record Damage(String what, String method, String tensor, Change change, String message) {
    @Override
    public String toString() {
      return what;
    }
  }

  interface Change {
    /** Null to leave the tensor out. */
    Safetensors.AnyTensor of(Safetensors file, String name);
  }

  static Stream<Damage> damages() {
    String query = "encoder.layer.0.attention.self.query";
    String key = "encoder.layer.0.attention.self.key";
    String random = "svft:random:1:0";
    String gradient = "svft:gradient:1";
    String index = key + ".svft.index";
    Change missing = (file, name) -> null;
    Change notANumber =
        (file, name) -> {
          float[] values = file.floats(name);
          values[1] = Float.NaN;
          return new Safetensors.Tensor(name, file.shape(name), values);
        };
    return Stream.of(
        new Damage("row outside", random, index, set(9, 4), index + ": position 9, (4, 3)"),
        new Damage("column outside", random, index, set(19, 4), index + ": position 9, (3, 4)"),
        new Damage("far outside", random, index, set(9, 1 << 30), index + ": position 9"),
        new Damage("negative", random, index, set(10, -1), index + ": position 0 is (0, -1)"),
        new Damage("unsorted", random, index, set(0, 3), index + ": position 1"),
        new Damage("twice", random, index, set(11, 0), index + ": position 1"),
        new Damage("missing index", random, index, missing, index + " is missing"),
        new Damage("index of another length", random, index, shape(2, 9), "expected [2, 10]"),
        new Damage("flat index", random, index, shape(20), "expected [2, 10]"),
        new Damage("columns only", random, index, shape(1, 10), "expected [2, 10]"),
        new Damage(
            "index of floats",
            random,
            index,
            (file, name) -> new Safetensors.Tensor(name, new long[] {2, 10}, new float[20]),
            index),
        new Damage(
            "values of ints",
            random,
            key + ".svft.m",
            (file, name) -> new Safetensors.IntTensor(name, new long[] {10}, new int[10]),
            key + ".svft.m"),
        new Damage("missing values", random, key + ".svft.m", missing, key + ".svft.m is missing"),
        new Damage("NaN in M", random, key + ".svft.m", notANumber, key + ".svft.m"),
        new Damage("gradient without index", gradient, index, missing, index + " is missing"),
        new Damage(
            "gradient without its first index",
            gradient,
            query + ".svft.index",
            missing,
            query + ".svft.index is missing"),
        new Damage(
            "gradient without values",
            gradient,
            key + ".svft.m",
            missing,
            key + ".svft.m is missing"),
        new Damage(
            "gradient without its first values",
            gradient,
            query + ".svft.m",
            missing,
            "its bytes are not those"),
        new Damage(
            "missing B",
            "lora:2",
            key + ".lora_B.weight",
            missing,
            key + ".lora_B.weight is missing"),
        new Damage(
            "NaN in A", "lora:2", key + ".lora_A.weight", notANumber, key + ".lora_A.weight"),
        new Damage("NaN in W", "full", key + ".weight", notANumber, key + ".weight"),
        new Damage("NaN in the head", "head", "head.weight", notANumber, "head.weight"));
  }

  private static Change set(int at, int value) {
    return (file, name) -> {
      int[] index = file.ints(name);
      index[at] = value;
      return new Safetensors.IntTensor(name, file.shape(name), index);
    };
  }

  private static Change shape(long... shape) {
    int size = (int) Arrays.stream(shape).reduce(1, (a, b) -> a * b);
    return (file, name) ->
        new Safetensors.IntTensor(name, shape, Arrays.copyOf(file.ints(name), size));
  }

  @ParameterizedTest
  @MethodSource("damages")
  void aDamagedTensorIsRefusedByName(Damage damage) {
    byte[] whole = HandmadeAdapter.of(damage.method()).toPayload();
    byte[] changed = with(whole, damage.tensor(), damage.change());

    assertThatThrownBy(() -> read(changed))
        .isInstanceOf(AdapterException.class)
        .hasMessageStartingWith("adapter payload: ")
        .hasMessageContaining(damage.message())
        .message()
        .doesNotContain("\n");
  }

  /** A tensor that no reader uses would give one adapter two identities. */
  @Test
  void aTensorTooManyIsRefused() {
    byte[] whole = HandmadeAdapter.of("svft:banded:1").toPayload();
    Safetensors file = Safetensors.parse(ByteBuffer.wrap(whole));
    List<Safetensors.AnyTensor> tensors = new ArrayList<>(tensors(file));
    String index = "encoder.layer.0.attention.self.key.svft.index";
    tensors.add(new Safetensors.IntTensor(index, new long[] {2, 1}, new int[2]));

    assertThatThrownBy(() -> read(Safetensors.toBytes(file.metadata(), tensors)))
        .isInstanceOf(AdapterException.class)
        .hasMessageContaining("its bytes are not those");
  }

  @Test
  void everyKeyOfTheMetadataIsRequired() {
    for (String key : Safetensors.parse(ByteBuffer.wrap(payload)).metadata().keySet()) {
      assertThatThrownBy(() -> read(with(metadata -> metadata.remove(key))))
          .isInstanceOf(AdapterException.class)
          .hasMessageContaining(key);
    }
  }

  @Test
  void aValueThatIsNotFiniteIsRefused() {
    float[] values = HandmadeAdapter.create().values();
    values[2] = Float.NEGATIVE_INFINITY;

    assertThatThrownBy(() -> read(HandmadeAdapter.of(1, "", values).toPayload()))
        .isInstanceOf(AdapterException.class)
        .hasMessageContaining("not finite");
  }

  private void assertRefusedOrAnotherVersion(byte[] changed, String what) {
    Adapter adapter;
    try {
      adapter = read(changed);
    } catch (AdapterException refused) {
      return;
    }
    assertThat(adapter.sha256()).as(what).isEqualTo(Sha256.of(changed));
  }

  private static Adapter read(byte[] payload) {
    ThreadMXBean thread = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long before = thread.getCurrentThreadAllocatedBytes();
    try {
      return Adapter.fromPayload(payload);
    } finally {
      assertThat(thread.getCurrentThreadAllocatedBytes() - before).isLessThan(ALLOWED_BYTES);
    }
  }

  private byte[] with(Consumer<Map<String, String>> change) {
    Safetensors file = Safetensors.parse(ByteBuffer.wrap(payload));
    Map<String, String> metadata = new HashMap<>(file.metadata());
    change.accept(metadata);
    return Safetensors.toBytes(metadata, tensors(file));
  }

  private static byte[] with(byte[] payload, String tensor, Change change) {
    Safetensors file = Safetensors.parse(ByteBuffer.wrap(payload));
    assertThat(file.names()).contains(tensor);
    List<Safetensors.AnyTensor> tensors = new ArrayList<>(tensors(file));
    tensors.removeIf(each -> each.name().equals(tensor));
    Safetensors.AnyTensor changed = change.of(file, tensor);
    if (changed != null) {
      tensors.add(changed);
    }
    return Safetensors.toBytes(file.metadata(), tensors);
  }

  private static List<Safetensors.AnyTensor> tensors(Safetensors file) {
    List<Safetensors.AnyTensor> tensors = new ArrayList<>();
    for (String name : file.names()) {
      tensors.add(
          file.dtype(name).equals("I32")
              ? new Safetensors.IntTensor(name, file.shape(name), file.ints(name))
              : new Safetensors.Tensor(name, file.shape(name), file.floats(name)));
    }
    return tensors;
  }
}
