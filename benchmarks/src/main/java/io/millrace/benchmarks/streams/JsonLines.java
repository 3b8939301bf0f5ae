package io.millrace.benchmarks.streams;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.millrace.schemas.LabeledExample;
import java.util.List;
import java.util.TreeMap;
import java.util.stream.Collectors;

/** Examples as {@code bin/millrace train} reads them: one JSON object a line. */
public final class JsonLines {
  private static final JsonMapper JSON = new JsonMapper();

  private JsonLines() {}

  /** Fields always stand in the same order; lines end with LF. */
  public static String of(List<LabeledExample> examples) {
    return examples.stream().map(JsonLines::line).collect(Collectors.joining());
  }

  private static String line(LabeledExample example) {
    ObjectNode line = JSON.createObjectNode();
    line.put("id", example.getId());
    line.put("domain", example.getDomain());
    line.put("text", example.getText());
    line.put("label", example.getLabel());
    line.put("eventTime", example.getEventTime().toString());
    new TreeMap<>(example.getMetadata()).forEach(line::put);
    return line + "\n";
  }
}
