package io.millrace.svft.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("unit")
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
  void integersStandBesideFloatsInTheOrderOfTheNames() {
    Safetensors.IntTensor rows =
        new Safetensors.IntTensor(
            "b.rows", new long[] {2, 2}, new int[] {1, -2, Integer.MIN_VALUE, Integer.MAX_VALUE});
    ByteBuffer bytes =
        ByteBuffer.wrap(Safetensors.toBytes(Map.of(), List.of(MATRIX, rows, SCALAR)));

    Safetensors file = Safetensors.parse(bytes);

    assertThat(file.names()).containsExactly("a", "b.rows", "b.weight");
    assertThat(file.dtype("b.rows")).isEqualTo("I32");
    assertThat(file.ints("b.rows", 2, 2)).containsExactly(rows.values());
    assertThat(file.floats("b.weight")).containsExactly(1.5f, -2);
    ByteBuffer data = bytes.slice(bytes.limit() - 28, 28).order(ByteOrder.LITTLE_ENDIAN);
    assertThat(data.getFloat()).isEqualTo(3);
    assertThat(data.getInt()).isEqualTo(1);
    assertThatThrownBy(() -> file.ints("b.rows", 4))
        .isInstanceOf(SafetensorsException.class)
        .hasMessage("tensor b.rows has shape [2, 2], expected [4]");
    assertThatThrownBy(() -> file.floats("b.rows"))
        .isInstanceOf(SafetensorsException.class)
        .hasMessage("tensor b.rows is I32; only F32 is supported");
    assertThatThrownBy(() -> file.ints("a"))
        .isInstanceOf(SafetensorsException.class)
        .hasMessage("tensor a is F32; only I32 is supported");
  }

  @Test
  void aTensorIsCopiedFromAFileUnderAnotherName() {
    // More than one chunk, and not a whole number of chunks.
    float[] values = new float[700_001];
    for (int i = 0; i < values.length; i++) {
      values[i] = i * 0.5f;
    }
    Safetensors.Tensor tensor = new Safetensors.Tensor("new", new long[] {700_001}, values);
    Safetensors file =
        Safetensors.parse(
            ByteBuffer.wrap(
                Safetensors.toBytes(
                    Map.of(), List.of(new Safetensors.Tensor("old", tensor.shape(), values)))));

    byte[] copied =
        Safetensors.toBytes(
            Map.of(), List.of(new Safetensors.StoredTensor("new", file, "old"), SCALAR));

    assertThat(copied).isEqualTo(Safetensors.toBytes(Map.of(), List.of(tensor, SCALAR)));
  }

  @Test
  void aTensorIsReadInPlaceWithoutBeingCopied() {
    Safetensors file =
        Safetensors.parse(ByteBuffer.wrap(Safetensors.toBytes(Map.of(), List.of(MATRIX, SCALAR))));

    FloatBuffer values = file.floatBuffer("b.weight");

    assertThat(values.isReadOnly()).isTrue();
    assertThat(values.remaining()).isEqualTo(2);
    assertThat(values.get(1)).isEqualTo(-2);
    assertThat(file.floatBuffer("b.weight").get()).isEqualTo(1.5f);
  }

  /** The file is sparse, so it takes little space on the disk. */
  @Test
  void aFileOfMoreThan2GiBIsMappedTensorByTensor(@TempDir Path directory) throws Exception {
    long big = 1L << 31;
    long end = big + (1L << 20);
    byte[] header =
        """
        {"big":{"dtype":"F32","shape":[536870912],"data_offsets":[0,%d]},\
        "far":{"dtype":"F32","shape":[262144],"data_offsets":[%d,%d]},\
        "last":{"dtype":"I32","shape":[1],"data_offsets":[%d,%d]}}"""
            .formatted(big, big, end, end, end + 4)
            .getBytes(StandardCharsets.UTF_8);
    ByteBuffer start = ByteBuffer.allocate(8 + header.length).order(ByteOrder.LITTLE_ENDIAN);
    start.putLong(header.length).put(header).flip();
    ByteBuffer values = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
    values.putFloat(2.5f).putInt(-7).flip();
    Path path = directory.resolve("big.safetensors");
    try (FileChannel channel =
        FileChannel.open(
            path,
            StandardOpenOption.CREATE_NEW,
            StandardOpenOption.WRITE,
            StandardOpenOption.SPARSE)) {
      channel.write(start, 0);
      channel.write(values, 8 + header.length + end - 4);
    }

    Safetensors file = Safetensors.open(path);

    assertThat(file.floatBuffer("far").get(262_143)).isEqualTo(2.5f);
    assertThat(file.ints("last", 1)).containsExactly(-7);
    assertThatThrownBy(() -> file.floats("big"))
        .isInstanceOf(SafetensorsException.class)
        .hasMessage("tensor big: its 2147483648 bytes are more than 2 GiB");
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.WRITE)) {
      channel.truncate(8 + header.length + end);
    }
    assertThatThrownBy(() -> Safetensors.open(path))
        .isInstanceOf(SafetensorsException.class)
        .hasMessageStartingWith(path + ": tensor last: offsets 2148532224..2148532228 lie outside");
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
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Safetensors.IntTensor("w", new long[] {4}, new int[3]))
        .withMessage("w: 3 values do not fill shape [4]");
  }

  @Test
  void aNameThatStandsTwiceIsNotWritten() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Safetensors.toBytes(Map.of(), List.of(SCALAR, SCALAR)))
        .withMessage("tensor a stands twice");
  }
}
