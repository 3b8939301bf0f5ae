package io.millrace.svft.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Files with false headers. Each file has 16 bytes of data. */
@Tag("unit")
class HostileSafetensorsTest {

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "'F32' | [4] | [-4, 12]                  | offsets -4..12 lie outside",
        "'F32' | [4] | [0, 20]                   | offsets 0..20 lie outside",
        "'F32' | [4] | [16, 0]                   | offsets 16..0 lie outside",
        "'F32' | [4] | [0, 9223372036854775807]  | lie outside",
        "'F32' | [4] | [0, 92233720368547758070] | data_offsets missing",
        "'F32' | [4] | [0]                       | data_offsets missing",
        "'F32' | [4] | [0, 16, 16]               | data_offsets missing",
        "'F32' | [4] | {'a': 0, 'b': 16}         | data_offsets missing",
        "'F32' | [4] | ['0', '16']               | data_offsets missing",
        "'F32' | [4] | [0, 16.5]                 | data_offsets missing",
        "'F32' | [4] | null                      | data_offsets missing",
        "'F32' | [3] | [0, 16]                   | do not fill its shape",
        "'F32' | [-4] | [0, 16]                  | shape out of range",
        "'F32' | [4.5] | [0, 16]                 | shape",
        "'F32' | ['4'] | [0, 16]                 | shape",
        "'F32' | [4294967296, 4294967297] | [0, 16]       | shape out of range",
        "'F32' | [65536, 65536, 65536, 65536] | [0, 16]   | shape out of range",
        "'F32' | 4 | [0, 16]                     | shape",
        "32    | [4] | [0, 16]                   | dtype",
        "'F16' | [4] | [0, 16]                   | do not fill its shape",
        "'BF16' | [9] | [0, 16]                  | do not fill its shape",
        "'I64' | [4] | [0, 16]                   | do not fill its shape",
        "'I32' | [5] | [0, 16]                   | do not fill its shape",
        "'BOOL' | [17] | [0, 16]                 | do not fill its shape",
        "'F64' | [2147483648] | [0, 16]          | shape out of range",
        "'I8' | [-16] | [0, 16]                  | shape out of range",
        "'OTHER' | [-1] | [0, 16]                | shape out of range",
        "'OTHER' | [1] | [0, 17]                 | offsets 0..17 lie outside",
      })
  void aTensorThatDoesNotFitTheFileIsRefusedByName(
      String dtype, String shape, String offsets, String message) {
    String header = "{'w': {'dtype': %s, 'shape': %s, 'data_offsets': %s}}";

    assertRefused(header.formatted(dtype, shape, offsets), message).hasMessageContaining("w");
  }

  @Test
  void tensorsMustCoverTheDataWithoutGapOrOverlap() {
    assertRefused(
        "{" + tensor("a", 0, 8) + "," + tensor("b", 4, 16) + "}", "overlap or leave a gap");
    assertRefused(
        "{" + tensor("a", 0, 4) + "," + tensor("b", 8, 16) + "}", "overlap or leave a gap");
    assertRefused(
        "{" + tensor("a", 0, 16) + "," + tensor("b", 0, 16) + "}", "overlap or leave a gap");
    assertRefused("{" + tensor("a", 4, 16) + "}", "overlap or leave a gap at byte 0");
    assertRefused("{" + tensor("a", 0, 12) + "}", "4 bytes after the last tensor");
  }

  @ParameterizedTest
  @ValueSource(longs = {-1, Long.MIN_VALUE, Long.MAX_VALUE, 1L << 32, 100_000_001, 0, 1, 40})
  void aHeaderLengthThatDoesNotFitIsRefusedBeforeItIsAllocated(long length) {
    ByteBuffer file = ByteBuffer.allocate(40).order(ByteOrder.LITTLE_ENDIAN).putLong(0, length);

    assertThatThrownBy(() -> Safetensors.parse(file))
        .isInstanceOf(SafetensorsException.class)
        .hasMessage("header length " + length + " does not fit the file");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "nothing",
        "[]",
        "null",
        "3",
        "{'a':",
        "{'__metadata__':{}} trailing",
        "{} {}"
      })
  void aHeaderThatIsNotOneJsonObjectIsRefused(String header) {
    assertRefused("  " + header, "the header is not");
  }

  @Test
  void aNameThatStandsTwiceIsRefused() {
    assertRefused(
        "{" + tensor("a", 0, 16) + "," + tensor("a", 0, 16) + "}",
        "the header is not JSON: Duplicate field 'a'");
    assertRefused(
        "{'__metadata__': {'k': '1', 'k': '2'}," + tensor("a", 0, 16) + "}", "the header is not");
  }

  @Test
  void metadataHoldsStringsOnly() {
    assertRefused("{'__metadata__': {'k': 1}," + tensor("a", 0, 16) + "}", "__metadata__");
    assertRefused("{'__metadata__': 'k'," + tensor("a", 0, 16) + "}", "__metadata__");
  }

  @Test
  void deepNestingIsRefusedAndOverflowsNoStack() {
    assertRefused("{'a':" + "[".repeat(100_000) + "]".repeat(100_000) + "}", "the header is not");
  }

  @Test
  void anotherEncodingThanUtf8IsRefused() {
    byte[] utf16 = "{}".getBytes(StandardCharsets.UTF_16LE);
    ByteBuffer file = ByteBuffer.allocate(8 + utf16.length).order(ByteOrder.LITTLE_ENDIAN);
    file.putLong(utf16.length).put(utf16).position(0);
    assertThatThrownBy(() -> Safetensors.parse(file)).isInstanceOf(SafetensorsException.class);

    ByteBuffer broken = ByteBuffer.allocate(8 + 3).order(ByteOrder.LITTLE_ENDIAN);
    broken.putLong(3).put((byte) '{').put((byte) 0xff).put((byte) '}').position(0);
    assertThatThrownBy(() -> Safetensors.parse(broken))
        .isInstanceOf(SafetensorsException.class)
        .hasMessage("the header is not UTF-8");
  }

  @Test
  void aMessageIsOneLineWhateverTheNameOfTheTensor() {
    String name = "a\\n\\u2028" + "b".repeat(1000);

    assertRefused("{" + tensor(name, 0, 12) + "," + tensor("c", 16, 16) + "}", "tensor ")
        .message()
        .doesNotContain("\n", "\u2028")
        .hasSizeLessThan(400);
  }

  @Test
  void anotherTypeOfNumberIsRefusedWhenItIsRead() {
    Safetensors file = parse("{'w': {'dtype': 'BF16', 'shape': [8], 'data_offsets': [0, 16]}}");

    assertThat(file.shape("w")).containsExactly(8);
    assertThatThrownBy(() -> file.floats("w"))
        .isInstanceOf(SafetensorsException.class)
        .hasMessage("tensor w is BF16; only F32 is supported");
    assertThatThrownBy(() -> file.ints("w"))
        .isInstanceOf(SafetensorsException.class)
        .hasMessage("tensor w is BF16; only I32 is supported");
  }

  @Test
  void theMessageNamesTheFile(@TempDir Path directory) throws Exception {
    Path path = Files.write(directory.resolve("short.safetensors"), new byte[7]);

    assertThatThrownBy(() -> Safetensors.open(path))
        .isInstanceOf(SafetensorsException.class)
        .hasMessage(path + ": only 7 bytes: no header");
  }

  /** A file of arbitrary bytes is read within its bounds or refused. */
  @Test
  void brokenBytesAreReadOrRefusedAndNothingElse() {
    byte[] whole =
        Safetensors.toBytes(
            Map.of("k", "v"),
            List.of(
                new Safetensors.Tensor("b.weight", new long[] {2, 3}, new float[6]),
                new Safetensors.IntTensor("b.rows", new long[] {5}, new int[5]),
                new Safetensors.Tensor("b.scale", new long[] {}, new float[1])));
    Random random = new Random(7);
    int refused = 0;
    for (int round = 0; round < 2_000; round++) {
      byte[] bytes = whole.clone();
      if (round % 4 == 0) {
        bytes = Arrays.copyOf(bytes, random.nextInt(bytes.length));
      } else {
        for (int flip = 0; flip <= round % 3; flip++) {
          bytes[random.nextInt(bytes.length)] ^= (byte) (1 << random.nextInt(8));
        }
      }
      try {
        readAll(Safetensors.parse(ByteBuffer.wrap(bytes)));
      } catch (SafetensorsException e) {
        assertThat(e.getMessage()).isNotBlank().doesNotContain("\n");
        refused++;
      }
    }
    assertThat(refused).isBetween(1_000, 1_999);
  }

  private static void readAll(Safetensors file) {
    for (String name : file.names()) {
      switch (file.dtype(name)) {
        case "F32" -> file.floats(name, file.shape(name));
        case "I32" -> file.ints(name, file.shape(name));
        default ->
            assertThatThrownBy(() -> file.floats(name)).isInstanceOf(SafetensorsException.class);
      }
    }
  }

  private static String tensor(String name, int begin, int end) {
    return "'%s': {'dtype': 'F32', 'shape': [%d], 'data_offsets': [%d, %d]}"
        .formatted(name, (end - begin) / 4, begin, end);
  }

  private static org.assertj.core.api.AbstractThrowableAssert<?, ?> assertRefused(
      String header, String message) {
    return assertThatThrownBy(() -> parse(header))
        .isInstanceOf(SafetensorsException.class)
        .hasMessageContaining(message);
  }

  /** Single quotes in a header stand for double quotes. */
  private static Safetensors parse(String header) {
    byte[] json = header.replace('\'', '"').getBytes(StandardCharsets.UTF_8);
    ByteBuffer file = ByteBuffer.allocate(8 + json.length + 16).order(ByteOrder.LITTLE_ENDIAN);
    file.putLong(json.length).put(json).position(0);
    return Safetensors.parse(file);
  }
}
