package io.millrace.svft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Whatever a payload holds: one clear line, no memory beyond its size, no mistaken identity. */
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
        "pattern   | banded                    | pattern banded is not supported",
        "method    | lora                      | unknown adapter method: lora",
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
    "1, 1000000000, 1000000000",
    "1, 2147483646, 2147483647",
    "100000000, 100000, 100000",
  })
  void aShapeLargerThanThePayloadTakesNoMemory(int layers, int hidden, int intermediate) {
    String config =
        "{\"layers\":%d,\"hidden\":%d,\"heads\":1,\"intermediate\":%d}"
            .formatted(layers, hidden, intermediate);
    byte[] changed = with(metadata -> metadata.put("config", config));

    assertThatThrownBy(() -> read(changed)).isInstanceOf(AdapterException.class);
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
    List<Safetensors.Tensor> tensors = new ArrayList<>();
    for (String name : file.names()) {
      tensors.add(new Safetensors.Tensor(name, file.shape(name), file.floats(name)));
    }
    return Safetensors.toBytes(metadata, tensors);
  }
}
