package io.millrace.svft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SafetensorsTest {
  private static final Safetensors.Tensor MATRIX =
      new Safetensors.Tensor("b.weight", new long[] {2, 1}, new float[] {1.5f, -2});
  private static final Safetensors.Tensor SCALAR =
      new Safetensors.Tensor("a", new long[] {}, new float[] {3});

  @Test
  void theFileIsLengthHeaderAndLittleEndianValues() {
    ByteBuffer file =
        ByteBuffer.wrap(Safetensors.toBytes(Map.of("k", "v"), List.of(MATRIX, SCALAR)))
            .order(ByteOrder.LITTLE_ENDIAN);

    byte[] header = new byte[(int) file.getLong()];
    file.get(header);
    assertThat(new String(header, StandardCharsets.UTF_8).stripTrailing())
        .isEqualTo(
            "{\"__metadata__\":{\"k\":\"v\"},"
                + "\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]},"
                + "\"b.weight\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[4,12]}}");
    assertThat(List.of(file.getFloat(), file.getFloat(), file.getFloat()))
        .containsExactly(3f, 1.5f, -2f);
    assertThat(file.hasRemaining()).isFalse();
  }

  @Test
  void theHeaderIsPaddedWithSpacesSoThatValuesAreAligned() {
    for (int length = 1; length <= 16; length++) {
      byte[] file = Safetensors.toBytes(Map.of("k", "v".repeat(length)), List.of(SCALAR));

      int header = (int) ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN).getLong();
      assertThat(header % 8).isZero();
      assertThat(file).hasSize(8 + header + 4);
      assertThat(new String(file, 8, header, StandardCharsets.UTF_8)).matches("\\{.*\\} {0,7}");
    }
  }

  @Test
  void theOrderOfTensorsAndMetadataDoesNotReachTheBytes() {
    Map<String, String> forward = new LinkedHashMap<>();
    forward.put("x", "1");
    forward.put("y", "2");
    Map<String, String> backward = new LinkedHashMap<>();
    backward.put("y", "2");
    backward.put("x", "1");

    assertThat(Safetensors.toBytes(forward, List.of(MATRIX, SCALAR)))
        .isEqualTo(Safetensors.toBytes(backward, List.of(SCALAR, MATRIX)));
  }

  @Test
  void whatWasWrittenIsRead(@TempDir Path directory) throws Exception {
    Path path = directory.resolve("file.safetensors");
    Map<String, String> metadata = Map.of("quote", "\"\\\n\u20ac\ud83d\ude00");
    Files.write(path, Safetensors.toBytes(metadata, List.of(MATRIX, SCALAR)));

    Safetensors file = Safetensors.open(path);

    assertThat(file.names()).containsExactly("a", "b.weight");
    assertThat(file.metadata()).isEqualTo(metadata);
    assertThat(file.shape("b.weight")).containsExactly(2, 1);
    assertThat(file.floats("b.weight")).containsExactly(1.5f, -2);
    assertThat(file.floats("a")).containsExactly(3);
  }

  @Test
  void everyBitOfAFloatSurvives() {
    float[] odd = {-0f, Float.MIN_VALUE, Float.MAX_VALUE, Float.NaN, Float.NEGATIVE_INFINITY};
    byte[] file =
        Safetensors.toBytes(Map.of(), List.of(new Safetensors.Tensor("odd", new long[] {5}, odd)));

    float[] read = Safetensors.parse(ByteBuffer.wrap(file)).floats("odd");

    assertThat(Floats.toBytes(read)).isEqualTo(Floats.toBytes(odd));
  }

  @Test
  void aFileWithoutTensorsAndATensorWithoutValuesAreFiles() {
    Safetensors.Tensor empty = new Safetensors.Tensor("e", new long[] {0, 7}, new float[0]);

    assertThat(Safetensors.parse(ByteBuffer.wrap(Safetensors.toBytes(Map.of(), List.of()))).names())
        .isEmpty();
    assertThat(
            Safetensors.parse(ByteBuffer.wrap(Safetensors.toBytes(Map.of(), List.of(empty))))
                .floats("e", 0, 7))
        .isEmpty();
  }

  @Test
  void aMissingTensorAndAnUnexpectedShapeAreNamed() {
    Safetensors file =
        Safetensors.parse(ByteBuffer.wrap(Safetensors.toBytes(Map.of(), List.of(MATRIX))));

    assertThatThrownBy(() -> file.floats("c"))
        .isInstanceOf(SafetensorsException.class)
        .hasMessage("tensor c is missing");
    assertThatThrownBy(() -> file.floats("b.weight", 1, 2))
        .isInstanceOf(SafetensorsException.class)
        .hasMessage("tensor b.weight has shape [2, 1], expected [1, 2]");
  }

  @Test
  void valuesThatDoNotFillTheirShapeAreNotWritten() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Safetensors.Tensor("w", new long[] {2, 2}, new float[3]))
        .withMessage("w: 3 values do not fill shape [2, 2]");
  }
}
