package io.millrace.schemas;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.schemas.registry.SchemaRegistry;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.apache.avro.Schema;
import org.apache.avro.SchemaCompatibility;
import org.apache.avro.SchemaCompatibility.SchemaCompatibilityType;
import org.apache.avro.SchemaCompatibility.SchemaPairCompatibility;
import org.apache.avro.SchemaFormatter;
import org.apache.avro.specific.SpecificData;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every record on a topic or in state stays readable: {@code history/<Record>/<n>.avsc} holds each
 * schema ever released, oldest first, and today's reads them all.
 */
@Tag("unit")
class SchemaEvolutionTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  /** In flight only: written and read by one and the same build. */
  private static final Set<String> IN_FLIGHT = Set.of("OutgoingRecord", "EvidenceInput");

  static List<Schema> records() throws IOException, ClassNotFoundException {
    List<Schema> records = new ArrayList<>();
    try (DirectoryStream<Path> files =
        Files.newDirectoryStream(Path.of("src/main/avro"), "*.avsc")) {
      for (Path file : files) {
        String name = file.getFileName().toString().replace(".avsc", "");
        if (!IN_FLIGHT.contains(name)) {
          Class<?> type = Class.forName("io.millrace.schemas." + name);
          records.add(SchemaRegistry.portable(SpecificData.get().getSchema(type)));
        }
      }
    }
    return records;
  }

  @ParameterizedTest
  @MethodSource("records")
  void everyReleasedSchemaIsReadByTodays(Schema today) throws IOException {
    for (Schema released : history(today)) {
      var compatibility = SchemaCompatibility.checkReaderWriterCompatibility(today, released);
      assertThat(compatibility.getType())
          .as(
              "today's %s cannot read what was written before: %s. Give a new field a default, and"
                  + " neither rename nor retype an old one.",
              today.getName(), reasons(compatibility))
          .isEqualTo(SchemaCompatibilityType.COMPATIBLE);
    }
  }

  @ParameterizedTest
  @MethodSource("records")
  void theNewestSchemaInHistoryIsTodays(Schema today) throws IOException {
    List<Schema> history = history(today);
    String next =
        "src/test/resources/history/%s/%d.avsc".formatted(today.getName(), history.size() + 1);
    assertThat(history)
        .as(
            "No history of %s: save its schema as %s\n%s",
            today.getName(), next, SchemaFormatter.format("json/pretty", today))
        .isNotEmpty();
    assertThat(undocumented(history.get(history.size() - 1)))
        .as(
            "The schema of %s has changed. Save it as %s, or over the newest file there if no release"
                + " has carried that one yet.\n%s",
            today.getName(), next, SchemaFormatter.format("json/pretty", today))
        .isEqualTo(undocumented(today));
  }

  private static List<String> reasons(SchemaPairCompatibility compatibility) {
    return compatibility.getResult().getIncompatibilities().stream()
        .map(reason -> reason.getType() + " at " + reason.getLocation())
        .toList();
  }

  private static List<Schema> history(Schema today) throws IOException {
    List<Schema> released = new ArrayList<>();
    while (true) {
      String name = "/history/%s/%d.avsc".formatted(today.getName(), released.size() + 1);
      try (InputStream file = SchemaEvolutionTest.class.getResourceAsStream(name)) {
        if (file == null) {
          return released;
        }
        released.add(new Schema.Parser().parse(file));
      }
    }
  }

  /** Everything but the documentation, which may be put better at any time. */
  private static JsonNode undocumented(Schema schema) throws IOException {
    JsonNode tree = JSON.readTree(schema.toString());
    tree.findParents("doc").forEach(parent -> ((ObjectNode) parent).remove("doc"));
    return tree;
  }
}
