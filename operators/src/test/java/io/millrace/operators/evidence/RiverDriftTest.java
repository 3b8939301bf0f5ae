package io.millrace.operators.evidence;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Both detectors on streams for which river's results are known ({@code drift/river.json}).
 *
 * <p>{@code documented} is the stream of river's documented examples, {@code choices([0, 1], 1000)}
 * and {@code choices(range(4, 8), 1000)} of Python's {@code Random(12345)}, with the indices that
 * the documentation prints. The other streams are errors, 0 and 1. Their indices were computed by a
 * program of its own, written from the definitions with river's parameters; it gives the documented
 * indices, and 1023, 2015, 3007 on the four-part stream of river's own tests. {@link Adwin} takes
 * errors only, so it reads the documented stream as errors: whatever is not 0 is one.
 */
@Tag("unit")
class RiverDriftTest {
  private static JsonNode root;

  /** A stream of errors and the indices of the examples that reveal a change, from 0. */
  record Stream01(String name, String errors, List<Integer> adwin, List<Integer> pageHinkley) {
    @Override
    public String toString() {
      return name;
    }
  }

  static Stream<Stream01> streams() throws IOException {
    List<Stream01> streams = new ArrayList<>();
    for (JsonNode each : root().path("streams")) {
      streams.add(
          new Stream01(
              each.path("name").asText(),
              each.path("errors").asText(),
              indices(each.path("adwin")),
              indices(each.path("pageHinkley"))));
    }
    assertThat(streams).hasSizeGreaterThan(5);
    return streams.stream();
  }

  @Test
  void pageHinkleyFindsTheDocumentedChangeAtTheDocumentedIndex() throws IOException {
    JsonNode documented = root().path("documented");
    String values = documented.path("values").asText();
    PageHinkley detector = new PageHinkley(null);
    List<Integer> found = new ArrayList<>();
    for (int i = 0; i < values.length(); i++) {
      if (detector.add(Character.digit(values.charAt(i), 10)).isPresent()) {
        found.add(i);
      }
    }

    assertThat(found).isEqualTo(indices(documented.path("pageHinkley"))).containsExactly(1006);
  }

  @ParameterizedTest
  @MethodSource("streams")
  void pageHinkleyFindsEveryChangeAtTheSameExample(Stream01 stream) {
    assertThat(found(new PageHinkley(null), stream.errors())).isEqualTo(stream.pageHinkley());
  }

  /**
   * At most one search earlier or later: river counts each part of the window {@value
   * Adwin#SHORTEST_PART} - 1 examples shorter than the paper does, and forgets the whole window
   * after a change.
   */
  @ParameterizedTest
  @MethodSource("streams")
  void adwinFindsTheSameChanges(Stream01 stream) {
    List<Integer> found = found(new Adwin(Adwin.DELTA, null), stream.errors());

    assertThat(found).hasSameSizeAs(stream.adwin());
    for (int i = 0; i < found.size(); i++) {
      assertThat(found.get(i)).isCloseTo(stream.adwin().get(i), within(Adwin.CHECK_EVERY));
    }
  }

  private static List<Integer> found(DriftDetector detector, String errors) {
    List<Integer> found = new ArrayList<>();
    for (int i = 0; i < errors.length(); i++) {
      if (detector.add(errors.charAt(i) == '1').isPresent()) {
        found.add(i);
      }
    }
    return found;
  }

  private static List<Integer> indices(JsonNode array) {
    List<Integer> indices = new ArrayList<>();
    array.forEach(index -> indices.add(index.asInt()));
    return indices;
  }

  private static JsonNode root() throws IOException {
    if (root == null) {
      try (InputStream in = RiverDriftTest.class.getResourceAsStream("/drift/river.json")) {
        root = new ObjectMapper().readTree(in);
      }
    }
    return root;
  }
}
