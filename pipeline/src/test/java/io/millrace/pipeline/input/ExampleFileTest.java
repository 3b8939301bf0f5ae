package io.millrace.pipeline.input;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.millrace.client.process.UsageException;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Tag("unit")
class ExampleFileTest {
  @TempDir private Path directory;

  @Test
  void aFileIsKnownByItsContent() throws IOException {
    Path one = Files.writeString(directory.resolve("one"), "abc");
    Path two = Files.writeString(directory.resolve("two"), "abc");
    Path three = Files.writeString(directory.resolve("three"), "abd");

    assertThat(ExampleFile.open(one).sha256())
        .isEqualTo("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        .isEqualTo(ExampleFile.open(two).sha256())
        .isNotEqualTo(ExampleFile.open(three).sha256());
  }

  @Test
  void whatIsMissingOrNoFileIsTheUsersMistake() {
    assertThatThrownBy(() -> ExampleFile.open(directory.resolve("none")))
        .isInstanceOf(UsageException.class)
        .hasMessageEndingWith("none does not exist");
    assertThatThrownBy(() -> ExampleFile.open(directory))
        .isInstanceOf(UsageException.class)
        .hasMessageEndingWith("is no ordinary file; - reads the standard input");
  }

  @Test
  void aFileThatGrowsMeanwhileIsNoticed() throws IOException {
    Path path = Files.writeString(directory.resolve("file"), "abc");
    ExampleFile file = ExampleFile.open(path);
    Files.writeString(path, "abcd");

    assertThatThrownBy(file::requireUnchanged)
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("changed while it was read");
  }

  @Test
  void aGzipFileIsReadAsWhatItHolds() throws Exception {
    Path path = Path.of(getClass().getResource("/inputs/plain.jsonl.gz").toURI());

    ExampleFile file = ExampleFile.open(path);

    assertThat(file.size()).isEqualTo(Files.size(path)).isNotEqualTo(file.length());
    try (LineReader lines = file.lines(1000, 0, 0)) {
      String first = new String(lines.next().orElseThrow().bytes(), UTF_8);
      assertThat(first).startsWith("{").contains("\"domain\"");
      long second = lines.position();
      String rest = new String(lines.next().orElseThrow().bytes(), UTF_8);
      while (lines.next().isPresent()) {
        // To the end.
      }
      assertThat(lines.lines()).isEqualTo(8);
      assertThat(lines.position()).isEqualTo(file.length());
      try (LineReader from = file.lines(1000, 1, second)) {
        assertThat(new String(from.next().orElseThrow().bytes(), UTF_8)).isEqualTo(rest);
        assertThat(from.lines()).isEqualTo(2);
      }
    }
  }

  @Test
  void theMembersOfAGzipFileFollowEachOther() throws IOException {
    ByteArrayOutputStream both = new ByteArrayOutputStream();
    both.write(gzip("one\n"));
    both.write(gzip("two\n"));
    ExampleFile file =
        ExampleFile.open(Files.write(directory.resolve("two.gz"), both.toByteArray()));

    try (LineReader lines = file.lines(10, 0, 0)) {
      assertThat(lines.next().orElseThrow().bytes()).asString().isEqualTo("one");
      assertThat(lines.next().orElseThrow().bytes()).asString().isEqualTo("two");
    }
    assertThat(file.length()).isEqualTo(8);
  }

  @Test
  void aGzipFileThatIsCutOffIsTheUsersMistake() throws IOException {
    byte[] whole = gzip("a line\n".repeat(1000));
    Path path = Files.write(directory.resolve("cut"), Arrays.copyOf(whole, whole.length - 9));

    assertThatThrownBy(() -> ExampleFile.open(path))
        .isInstanceOf(UsageException.class)
        .hasMessageStartingWith("file " + path + " is a gzip file and broken: ");
  }

  @ParameterizedTest
  @CsvSource({
    "28b52ffd0458, compressed with zstd; unpack it",
    "425a683931415926, compressed with bzip2; unpack it",
    "fd377a585a000004, compressed with xz; unpack it",
    "04224d186440, compressed with lz4; unpack it",
    "504b030414000000, a zip archive; unpack it",
    "5041523115041500, a Parquet file; write",
    "4f626a0104166176, an Avro file; write"
  })
  void anotherFormatIsNamed(String bytes, String what) throws IOException {
    Path path = Files.write(directory.resolve("other"), HexFormat.of().parseHex(bytes));

    assertThatThrownBy(() -> ExampleFile.open(path))
        .isInstanceOf(UsageException.class)
        .hasMessageStartingWith("file " + path + " is " + what);
  }

  @Test
  void theStandardInputIsReadAsAFile() throws IOException {
    InputStream before = System.in;
    System.setIn(new ByteArrayInputStream(gzip("a line\n")));
    try {
      ExampleFile file = ExampleFile.open(Path.of("-"));

      assertThat(file.place()).isEqualTo(file.shortName()).isEqualTo("standard input");
      assertThat(file.length()).isEqualTo(7);
      assertThat(Files.getPosixFilePermissions(file.path()))
          .isEqualTo(PosixFilePermissions.fromString("rw-------"));
    } finally {
      System.setIn(before);
    }
  }

  private static byte[] gzip(String text) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (GZIPOutputStream out = new GZIPOutputStream(bytes)) {
      out.write(text.getBytes(UTF_8));
    }
    return bytes.toByteArray();
  }
}
